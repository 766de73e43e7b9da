"""Holds the arm64 package of the tagging function against this machine: qemu-user plays a Graviton2's processor.

The emulator and an arm64 Python are Debian's, downloaded by apt with settings of its own and unpacked below the home
folder: nothing is installed, and the machine's own apt is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infra.build import BUILD, unpack
from infra.package import PACKAGES, ROOT
from infra.wheels import PYTHON_VERSION, Architecture
from pipeline.errors import CallerError
from pipeline.settings import home, model_dir
from tests.bench.check_cpu import Difference, answered, inputs, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PHOTOS = 10
CPU = "neoverse-n1"  # of Graviton2, which AWS Lambda has
SUITE = "trixie"  # the release of Debian with the runtime's Python
LIMIT_S = 1800  # a photo takes some seconds there on an idle core
APT_SETTINGS = """
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "arm64";
APT::Architectures {{"arm64"; "{own}";}};
APT::Sandbox::User "root";
Acquire::Languages "none";
"""
EMULATOR = "./usr/bin/qemu-aarch64"
QUEUE = "http://127.0.0.1/000000000000/none"  # nothing is sent to it
SETTINGS = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TABLE_NAME"), "none"),
    "AWS_DEFAULT_REGION": "us-east-1",
    "ORT_DISABLE_TELEMETRY": "1",
    "OPENBLAS_NUM_THREADS": "1",
    **{f"{name}_QUEUE_URL": QUEUE for name in ("UPLOADS", "BACKFILL")},
    **{f"{name}_DEAD_LETTER_QUEUE_URL": QUEUE for name in ("UPLOADS", "BACKFILL")},
}


def debian(folder: Path) -> Path:
    """Return a folder with Debian's emulator for this machine, and its Python for arm64.

    Raises:
        CallerError: this machine is not Debian's, or apt fails.
    """
    root = folder / "root"
    if root.is_dir():
        return root
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CallerError("check-arm needs Debian: there is no apt-get or dpkg-deb here")
    mirrors = _run("apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)").splitlines()
    uris = [line.split()[2] for line in mirrors if line.startswith("Debian ") and "security" not in line]
    if not uris:
        raise CallerError("check-arm needs Debian: apt knows no mirror of Debian here; `apt-get update` may be missing")
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb {uris[0]} {SUITE} main\n")
    own = _run("dpkg", "--print-architecture").strip()
    (folder / "apt.conf").write_text(APT_SETTINGS.format(folder=folder, own=own))
    settings = {"APT_CONFIG": str(folder / "apt.conf")}
    _run("apt-get", "update", settings=settings)
    wanted = [f"python{PYTHON_VERSION}", "libstdc++6", f"qemu-user:{own}"]
    _run("apt-get", "install", "--yes", "--download-only", "--no-install-recommends", *wanted, settings=settings)
    part = folder / "root.part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "usr" / "lib").mkdir(parents=True)
    (part / "lib").symlink_to("usr/lib")  # which base-files makes where Debian is installed
    for package in (folder / "cache" / "archives").glob("*.deb"):
        _unpack_deb(package, part, [EMULATOR] if package.name.startswith("qemu-user_") else [])
    part.rename(root)
    shutil.rmtree(folder / "cache")
    return root


def _unpack_deb(package: Path, folder: Path, members: Sequence[str]) -> None:
    """Unpack these files of the package, or all of it. Of the 30 emulators, 400 MB, one is needed."""
    listing = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    with listing:
        done = subprocess.run(["tar", "-x", "-C", str(folder), *members], check=False, stdin=listing.stdout)
    if listing.returncode or done.returncode:
        raise CallerError(f"{package.name} cannot be unpacked into {folder}")


def _run(*command: str, settings: Mapping[str, str] | None = None) -> str:
    run = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"} | (settings or {})
    )
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines() or ["no reason given"]
        raise CallerError(f"{' '.join(command[:2])} failed: {lines[-1]}")
    return run.stdout


def answers(python: Sequence[str], code: Path, photos: Sequence[Path]) -> dict[str, np.ndarray]:
    """Return what the function in this folder of code answers for the photos, when this Python runs it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "answers.npz")
        script = Path(__file__).with_name("package_answers.py")
        environment = {**SETTINGS, "PYTHONPATH": str(code), "MODEL_DIR": str(model_dir())}
        command = [*python, str(script), str(out), *map(str, photos)]
        run = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, env=environment, timeout=LIMIT_S)
        if run.returncode:
            raise CallerError(f"the function did not answer: {run.stderr.strip().splitlines()[-1:]}")
        with np.load(out) as arrays:
            return dict(arrays)


def main() -> int:
    """Print the comparison, and return 0 if all is well, 1 if the answers differ, 2 if it cannot be made here."""
    prepare()
    try:
        root = debian(home() / "downloads" / f"debian-{SUITE}-arm64")
        package = next(package for package in PACKAGES if package.function == "TagFunction")
        code = unpack(package, BUILD / "arm64", model_dir(), Architecture.ARM64)
        photos = sorted((home() / "sample-catalogue").glob("*.jpg"))[:PHOTOS]
        here = answers([sys.executable], ROOT, photos)
        started_s = time.perf_counter()
        emulator = [str(root / EMULATOR), "-cpu", CPU, "-L", str(root)]
        there = answers([*emulator, str(root / f"usr/bin/python{PYTHON_VERSION}")], code, photos)
    except CallerError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(photos)} photos, {time.perf_counter() - started_s:.0f} s on the emulated {CPU}")
    return compare(here, there, photos)


def compare(here: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray], photos: Sequence[Path]) -> int:
    """Print how far the two machines' answers are apart, and return 1 if a keyword differs or scores by too much."""
    card_path = model_dir() / "card.json"
    pixels = inputs(len(photos), card_path, photos[0].parent)
    machines = Difference.between(here["scores"], there["scores"])
    models = Difference.between(answered(card_path, pixels), answered(card_path, pixels, precision="float32"))
    print("| between | largest difference of a score | rms of the logits | same best class |")
    print("|---|---|---|---|")
    print(machines.row(f"this CPU and {CPU}, the served model", len(photos)))
    print(models.row("the served model and float32, this CPU", len(photos)))
    other = [
        photo.name
        for photo, ours, theirs in zip(photos, here["keywords"], there["keywords"], strict=True)
        if ours != theirs
    ]
    print(f"keywords: the same for {len(photos) - len(other)} of {len(photos)} photos", *other)
    return int(bool(other) or machines.scores > models.scores or machines.logits_rms > models.logits_rms)


if __name__ == "__main__":
    sys.exit(main())
