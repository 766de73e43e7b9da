"""The libraries of a package: the wheels in its lock file, for the runtime's Python and processor."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from pipeline.errors import DeployerError

PYTHON_VERSION = "3.13"  # of the runtime in the template
CODE_FOLDER = "/var/task"  # where AWS Lambda unpacks a package
# What nothing imports: tests, C headers, and scripts that name the Python of the machine that built them.
LEFT_OUT_FOLDERS = ("tests", "include", "__pycache__", "bin")
LEFT_OUT_SUFFIXES = (".a", ".lib", ".pxd", ".pxi", ".pyi", ".pyx")  # for compilers and type checkers: 4 MB
LEFT_OUT_PARTS = tuple(
    f"onnxruntime/{part}" for part in ("backend", "datasets", "quantization", "tools", "transformers")
)
LEFT_OUT_DOORS = ("flight", "s3fs", "arrow_s3", "cpp_tests")  # parts of pyarrow that nothing here uses: 50 MB
# Of the 400 services that botocore describes in 28 MB.
KEPT_SERVICES = ("apigatewaymanagementapi", "dynamodb", "s3", "sqs", "sts")
KEPT_ENDPOINTS = (*KEPT_SERVICES, "execute-api")  # by their names in addresses; every new session parses them all
# pyspellchecker's word lists of unsupported languages: 5 MB.
LEFT_OUT_WORDS = ("ar", "eu", "fa", "it", "lv", "nl", "pt", "ru")
LEFT_OUT_FILES = ("RECORD", "REQUESTED", "INSTALLER", "direct_url.json")  # how and from where a library was installed


class Architecture(StrEnum):
    """The processor that a function runs on."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose wheels the runtime can load: Amazon Linux 2023 has glibc 2.34."""
        machine = "aarch64" if self is Architecture.ARM64 else "x86_64"
        return tuple(f"{platform}_{machine}" for platform in ("manylinux_2_28", "manylinux_2_27", "manylinux2014"))

    @property
    def wheels_only(self) -> list[str]:
        """The pip options that allow only wheels for this runtime, on whatever machine pip runs."""
        platforms = [option for platform in self.platforms for option in ("--platform", platform)]
        return ["--only-binary=:all:", "--python-version", PYTHON_VERSION, "--implementation", "cp", *platforms]


def libraries(lock: Path, out: Path, architecture: Architecture) -> Path:
    """Return a folder with exactly the locked libraries, installed once and named by a hash of its recipe."""
    sha256 = hashlib.sha256("\n".join(recipe(lock, architecture)).encode()).hexdigest()
    folder = out / "libraries" / sha256[:16]
    if not folder.exists():
        partial = folder.with_suffix(f".{os.getpid()}.part")  # two builds may install at once
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if locked_lines(lock):
            exactly = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
            into = ["--quiet", "--no-compile", "--target", str(partial)]
            pip(["install", *into, *architecture.wheels_only, *exactly], f"install what {lock.name} lists")
        _tidy(partial)
        compile_modules(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            shutil.rmtree(partial)  # another build has put the same libraries there meanwhile
    return folder


def recipe(lock: Path, architecture: Architecture) -> list[str]:
    """Return everything that determines the libraries' folder: the lock file, the runtime, and what is left out."""
    left_out = (*LEFT_OUT_FOLDERS, *LEFT_OUT_SUFFIXES, *LEFT_OUT_PARTS, *LEFT_OUT_DOORS, *LEFT_OUT_WORDS)
    bytecode = "with bytecode" if runtime_python() else "without bytecode"
    return [
        *architecture.wheels_only,
        *left_out,
        *LEFT_OUT_FILES,
        *KEPT_ENDPOINTS,
        bytecode,
        *sorted(locked_lines(lock)),
    ]


@cache
def runtime_python() -> Path | None:
    """Return a Python of the runtime's version on this machine, or None."""
    installed = Path.home().glob(f".pyenv/versions/{PYTHON_VERSION}.*/bin/python")
    for python in (shutil.which(f"python{PYTHON_VERSION}") or sys.executable, *map(str, installed)):
        command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
        printed = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - a Python
        if printed.stdout.strip() == PYTHON_VERSION:
            return Path(python)
    return None


def compile_modules(root: Path, rooms: Sequence[str] = (".",)) -> None:
    """Compile the modules in these folders, if this machine has the runtime's Python (DECISIONS.md, 83)."""
    python = runtime_python()
    if python is None or not rooms:
        return
    # With unchecked hashes, because a zip keeps no times and deployed code does not change. Modules that do not compile
    # are not an error here: nothing imports them, such as code templates, or importing them would fail anyway.
    options = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", CODE_FOLDER]
    folders = [str(root / room) for room in rooms]
    subprocess.run([python, *options, *folders], check=False, capture_output=True)  # noqa: S603 - a Python


def locked_lines(lock: Path) -> list[str]:
    """Return the lines of the lock file, one for each library."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pip(arguments: Iterable[str], purpose: str) -> str:
    """Return what pip prints.

    Raises:
        DeployerError: pip failed; the message names the ``purpose``.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - this project's own pip
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise DeployerError(f"pip could not {purpose}: {last[0]}")
    return done.stdout


def _tidy(folder: Path) -> None:
    unused = [*(folder / part for part in LEFT_OUT_PARTS), *_undescribed(folder)]
    for path in [*unused, *_matching(folder, (f"**/{name}" for name in LEFT_OUT_FOLDERS))]:
        shutil.rmtree(path, ignore_errors=True)
    patterns = [
        *(f"*.dist-info/{name}" for name in LEFT_OUT_FILES),
        *(f"**/*{suffix}" for suffix in LEFT_OUT_SUFFIXES),
        *(f"spellchecker/resources/{language}.json.gz" for language in LEFT_OUT_WORDS),
        *(f"pyarrow/*{door}*.so*" for door in LEFT_OUT_DOORS),
        "pyarrow/libarrow_*.so.*.*.*",  # a wheel has no symbolic links, so it contains each library three times
        "pyarrow/libarrow_*.so",  # the loader needs only the middle one
    ]
    for path in _matching(folder, patterns):
        path.unlink()
    for path in folder.glob("botocore/data/endpoints.json"):
        _keep_endpoints(path)


def _keep_endpoints(path: Path) -> None:
    """Leave the addresses of the services that functions call: 28 kB of 1.3 MB, which saves 12 ms of each start."""
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in KEPT_ENDPOINTS if name in services}
    path.write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")


def _matching(folder: Path, patterns: Iterable[str]) -> set[Path]:
    return {path for pattern in patterns for path in folder.glob(pattern)}


def _undescribed(folder: Path) -> list[Path]:
    """Return botocore's and boto3's descriptions of the services that no function calls."""
    services = [path for name in ("botocore", "boto3") for path in folder.glob(f"{name}/data/*") if path.is_dir()]
    return [path for path in services if path.name not in KEPT_SERVICES]
