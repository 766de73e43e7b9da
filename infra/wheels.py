"""The libraries of a package: the wheels that its lock lists, for the runtime's Python and processor."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.errors import DeployerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PYTHON_VERSION = "3.13"  # of the runtime in the template
# Of libraries, what nothing imports: tests, C headers, and commands that name the Python of the machine they are
# from (DECISIONS.md, 25).
LEFT_OUT_FOLDERS = ("tests", "include", "__pycache__", "bin")
LEFT_OUT_DOORS = ("flight", "s3fs", "arrow_s3")  # parts of pyarrow that nothing here goes through: 50 MB
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
        half = folder.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        if locked_lines(lock):
            exactly = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
            into = ["--quiet", "--no-compile", "--target", str(half)]
            pip(["install", *into, *architecture.wheels_only, *exactly], f"install what {lock.name} lists")
        _tidy(half)
        half.rename(folder)
    return folder


def recipe(lock: Path, architecture: Architecture) -> list[str]:
    """Return all that decides what the libraries' folder holds: the lock, the runtime, and what is left out."""
    left_out = (*LEFT_OUT_FOLDERS, *LEFT_OUT_DOORS, *LEFT_OUT_WORDS, *LEFT_OUT_FILES)
    return [*architecture.wheels_only, *left_out, *sorted(locked_lines(lock))]


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
    for path in [path for name in LEFT_OUT_FOLDERS for path in folder.rglob(name) if path.is_dir()]:
        shutil.rmtree(path, ignore_errors=True)
    for path in [path for name in LEFT_OUT_FILES for path in folder.glob(f"*.dist-info/{name}")]:
        path.unlink()
    for path in [folder / "spellchecker" / "resources" / f"{language}.json.gz" for language in LEFT_OUT_WORDS]:
        path.unlink(missing_ok=True)
    for path in [path for door in LEFT_OUT_DOORS for path in folder.glob(f"pyarrow/*{door}*.so*")]:
        path.unlink()
