"""The libraries of a package: the wheels that its lock lists, for the runtime's Python and processor."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DeployerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PYTHON_VERSION = "3.13"  # of the runtime in the template
CODE_FOLDER = "/var/task"  # where AWS Lambda unpacks a package
# Of libraries, what nothing imports: tests, C headers, and commands that name the Python of the machine they are from.
LEFT_OUT_FOLDERS = ("tests", "include", "__pycache__", "bin")
LEFT_OUT_SUFFIXES = (".a", ".lib", ".pxd", ".pxi", ".pyi", ".pyx")  # what compilers and type checkers read: 4 MB
LEFT_OUT_PARTS = tuple(
    f"onnxruntime/{part}" for part in ("backend", "datasets", "quantization", "tools", "transformers")
)
LEFT_OUT_DOORS = ("flight", "s3fs", "arrow_s3", "cpp_tests")  # parts of pyarrow that nothing here goes through: 50 MB
KEPT_SERVICES = ("apigatewaymanagementapi", "dynamodb", "s3", "sqs", "sts")  # of 400 that botocore describes in 28 MB
LEFT_OUT_WORDS = (
    "ar",
    "eu",
    "fa",
    "it",
    "lv",
    "nl",
    "pt",
    "ru",
)  # pyspellchecker's lists of languages that we lack: 5 MB
LEFT_OUT_FILES = ("RECORD", "REQUESTED", "INSTALLER", "direct_url.json")  # how it was installed, and where from


class Architecture(StrEnum):
    """What a function runs on."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose wheels the runtime loads: Amazon Linux 2023 has the C library 2.34."""
        machine = "aarch64" if self is Architecture.ARM64 else "x86_64"
        return tuple(f"{platform}_{machine}" for platform in ("manylinux_2_28", "manylinux_2_27", "manylinux2014"))

    @property
    def wheels_only(self) -> list[str]:
        """What tells pip to take nothing but wheels for this runtime, whatever machine it runs on."""
        platforms = [word for platform in self.platforms for word in ("--platform", platform)]
        return ["--only-binary=:all:", "--python-version", PYTHON_VERSION, "--implementation", "cp", *platforms]


def libraries(lock: Path, out: Path, architecture: Architecture) -> Path:
    """Return a folder with exactly what the lock lists, installed once: it is named by the lock and this recipe."""
    sha256 = hashlib.sha256("\n".join(recipe(lock, architecture)).encode()).hexdigest()
    folder = out / "libraries" / sha256[:16]
    if not folder.exists():
        half = folder.with_suffix(f".{os.getpid()}.part")  # two builds may install at once
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        if locked_lines(lock):
            exactly = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
            into = ["--quiet", "--no-compile", "--target", str(half)]
            pip(["install", *into, *architecture.wheels_only, *exactly], f"install what {lock.name} lists")
        _tidy(half)
        compile_modules(half)
        try:
            half.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            shutil.rmtree(half)  # another build has put the same there meanwhile
    return folder


def recipe(lock: Path, architecture: Architecture) -> list[str]:
    """Return all that decides what the libraries' folder holds: the lock, the runtime, and what is left out."""
    left_out = (*LEFT_OUT_FOLDERS, *LEFT_OUT_SUFFIXES, *LEFT_OUT_PARTS, *LEFT_OUT_DOORS, *LEFT_OUT_WORDS)
    bytecode = "with bytecode" if runtime_python() else "without bytecode"
    return [
        *architecture.wheels_only,
        *left_out,
        *LEFT_OUT_FILES,
        *KEPT_SERVICES,
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
    """Put bytecode beside the modules in these folders, if this machine has the runtime's Python (DECISIONS.md, 83)."""
    python = runtime_python()
    if python is None or not rooms:
        return
    # By hashes that are never checked: a zip has no times, and what is deployed does not change. A module that this
    # Python cannot compile is one that nothing imports, such as a template; imported, it would fail as ever.
    how = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", CODE_FOLDER]
    folders = [str(root / room) for room in rooms]
    subprocess.run([python, *how, *folders], check=False, capture_output=True)  # noqa: S603 - a Python


def locked_lines(lock: Path) -> list[str]:
    """Return the lock's lines, one for each library."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pip(words: Iterable[str], purpose: str) -> str:
    """Return what pip prints.

    Raises:
        DeployerError: it could not do it; ``what`` says what it was to do.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
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
        "pyarrow/libarrow_*.so.*.*.*",  # for want of links, a wheel has a library three times
        "pyarrow/libarrow_*.so",  # of which the loader asks for the middle one
    ]
    for path in _matching(folder, patterns):
        path.unlink()


def _matching(folder: Path, patterns: Iterable[str]) -> set[Path]:
    return {path for pattern in patterns for path in folder.glob(pattern)}


def _undescribed(folder: Path) -> list[Path]:
    """Return botocore's and boto3's descriptions of the services that no function calls."""
    services = [path for name in ("botocore", "boto3") for path in folder.glob(f"{name}/data/*") if path.is_dir()]
    return [path for path in services if path.name not in KEPT_SERVICES]
