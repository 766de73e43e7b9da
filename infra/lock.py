"""Lock files: the exact versions of each package's libraries, with the hashes of their wheels and their licences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import click

from infra.package import PACKAGES, RUNTIME_CLIENT, Package, requirements
from infra.wheels import PYTHON_VERSION, Architecture, locked_lines, pip
from pipeline.errors import DeployerError

HINT = "`make lock NEWEST=yes` lets every version move"
LINE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)  # (?P<licence>.+)")


@dataclass(frozen=True, slots=True, order=True)
class Locked:
    """One locked library: its hashes are of one wheel for all processors, or of one for each."""

    name: str
    version: str
    licence: str
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        hashes = "".join(f" --hash=sha256:{sha256}" for sha256 in self.sha256)
        return f"{self.name}=={self.version}{hashes}  # {self.licence}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the library in a line of a lock file.

        Raises:
            DeployerError: the line has another form.
        """
        match = LINE.fullmatch(line)
        if match is None:
            raise DeployerError(f"{line!r} is not a line of a lock file; `make lock` writes one")
        hashes = tuple(match["hashes"].replace(" --hash=sha256:", " ").split())
        return cls(match["name"], match["version"], match["licence"], hashes)


def read_lock(lock: Path) -> list[Locked]:
    """Return the libraries in the lock file."""
    return [Locked.parse(line) for line in locked_lines(lock)]


def write_lock(package: Package, kept: Path) -> int:
    """Lock the package's libraries, and return their number.

    Args:
        package: whose lock is written.
        kept: a file of pip's constraints: the versions that stay, of libraries that are locked already.

    Raises:
        DeployerError: a library's version is not the same for both processors, or pip finds none.
    """
    by_architecture = [_resolve(package, architecture, kept) for architecture in Architecture]
    libraries = [
        _merge([library[name] for library in by_architecture if name in library], by_architecture)
        for name in sorted(by_architecture[0] | by_architecture[1])
    ]
    runtime = f"python{PYTHON_VERSION} on {' and '.join(Architecture)}"
    head = f"# The libraries of {package.function}, for {runtime}. Written by `make lock`.\n"
    package.lock.parent.mkdir(exist_ok=True)
    package.lock.write_text(head + "".join(f"{library}\n" for library in libraries), encoding="utf-8")
    return len(libraries)


# pip's report names the wheel that each processor gets, and its licence (DECISIONS.md, 123).
def _resolve(package: Package, architecture: Architecture, kept: Path) -> dict[str, Locked]:
    if not package.libraries:
        return {}
    options = ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", "--target", "nowhere"]
    wanted = ["--constraint", str(kept), *requirements(package)]
    report = json.loads(pip([*options, *architecture.wheels_only, *wanted], f"lock {package.function} ({HINT})"))
    libraries = [_parse_entry(entry) for entry in report["install"]]
    return {library.name: library for library in libraries}


def _parse_entry(entry: dict[str, Any]) -> Locked:
    metadata = entry["metadata"]
    name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
    return Locked(
        name, metadata["version"], _licence(metadata), (entry["download_info"]["archive_info"]["hashes"]["sha256"],)
    )


def _licence(metadata: dict[str, Any]) -> str:
    """Return the licence in the shortest form that the library's metadata gives."""
    classifiers = [
        classifier.rpartition(" :: ")[2]
        for classifier in metadata.get("classifier", ())
        if classifier.startswith("License")
    ]
    licence = metadata.get("license_expression") or ", ".join(classifiers) or metadata.get("license") or "unknown"
    return str(licence).strip().splitlines()[0]


def _merge(libraries: list[Locked], by_architecture: list[dict[str, Locked]]) -> Locked:
    first = libraries[0]
    if len(libraries) != len(by_architecture) or {library.version for library in libraries} != {first.version}:
        raise DeployerError(f"{first.name} is not the same on {' and '.join(Architecture)}")
    hashes = sorted({sha256 for library in libraries for sha256 in library.sha256})
    return Locked(first.name, first.version, first.licence, tuple(hashes))


# Versions stay unless somebody wants them to move, so a new library changes nothing else (DECISIONS.md, 131).
@click.command()
@click.option("--newest", is_flag=True, help="Let every library move to the newest version that the project permits.")
def lock(*, newest: bool) -> None:
    """Lock the libraries of each package; those that are locked already keep their versions."""
    packages = (*PACKAGES, RUNTIME_CLIENT)
    locked = {} if newest else {library.name: library.version for library in _locked_now(packages)}
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "kept.txt"
        kept.write_text("".join(f"{name}=={version}\n" for name, version in locked.items()), encoding="utf-8")
        with ThreadPoolExecutor() as pool:  # pip waits for its index most of the time
            counts = pool.map(partial(write_lock, kept=kept), packages)
            for package, count in zip(packages, counts, strict=True):
                click.echo(f"{package.lock.name}: {count} libraries")


def _locked_now(packages: Iterable[Package]) -> list[Locked]:
    return [library for package in packages if package.lock.exists() for library in read_lock(package.lock)]
