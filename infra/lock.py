"""Locks: the exact versions of each package's libraries, with the hashes of their wheels and their licences."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import click

from infra.package import PACKAGES, RUNTIME_CLIENT, requirements
from infra.wheels import PYTHON_VERSION, Architecture, locked_lines, pip
from pipeline.errors import DeployerError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.package import Package

LINE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)  # (?P<licence>.+)")


@dataclass(frozen=True, slots=True, order=True)
class Locked:
    """One library as it is locked: one wheel for all processors, or one for each."""

    name: str
    version: str
    licence: str
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        hashes = "".join(f" --hash=sha256:{each}" for each in self.sha256)
        return f"{self.name}=={self.version}{hashes}  # {self.licence}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return what a line of a lock says.

        Raises:
            DeployerError: it is no such line.
        """
        match = LINE.fullmatch(line)
        if match is None:
            raise DeployerError(f"{line!r} is no line of a lock; `make lock` writes them")
        hashes = tuple(match["hashes"].replace(" --hash=sha256:", " ").split())
        return cls(match["name"], match["version"], match["licence"], hashes)


def locked(lock: Path) -> list[Locked]:
    """Return what the lock lists."""
    return [Locked.parse(line) for line in locked_lines(lock)]


def write_lock(package: Package) -> int:
    """Lock the newest libraries that the project permits, and return how many those are.

    Raises:
        DeployerError: the processors do not have the same versions, or pip finds none.
    """
    by_architecture = [_resolved(package, architecture) for architecture in Architecture]
    libraries = [
        _merged([library[name] for library in by_architecture if name in library], by_architecture)
        for name in sorted(by_architecture[0] | by_architecture[1])
    ]
    runtime = f"python{PYTHON_VERSION} on {' and '.join(Architecture)}"
    head = f"# What {package.function} needs of others, for {runtime}. Written by `make lock`.\n"
    package.lock.parent.mkdir(exist_ok=True)
    package.lock.write_text(head + "".join(f"{library}\n" for library in libraries), encoding="utf-8")
    return len(libraries)


def _resolved(package: Package, architecture: Architecture) -> dict[str, Locked]:
    if not package.libraries:
        return {}
    words = ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", "--target", "nowhere"]
    report = json.loads(pip([*words, *architecture.wheels_only, *requirements(package)], f"lock {package.function}"))
    entries = [_one(entry) for entry in report["install"]]
    return {one.name: one for one in entries}


def _one(entry: dict[str, Any]) -> Locked:
    metadata = entry["metadata"]
    name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
    return Locked(
        name, metadata["version"], _licence(metadata), (entry["download_info"]["archive_info"]["hashes"]["sha256"],)
    )


def _licence(metadata: dict[str, Any]) -> str:
    """Return the licence in the fewest words that the library's own metadata gives."""
    classifiers = [
        classifier.rpartition(" :: ")[2]
        for classifier in metadata.get("classifier", ())
        if classifier.startswith("License")
    ]
    licence = metadata.get("license_expression") or ", ".join(classifiers) or metadata.get("license") or "unknown"
    return str(licence).strip().splitlines()[0]


def _merged(same: list[Locked], by_architecture: list[dict[str, Locked]]) -> Locked:
    first = same[0]
    if len(same) != len(by_architecture) or {digest.version for digest in same} != {first.version}:
        raise DeployerError(f"{first.name} is not the same on {' and '.join(Architecture)}")
    hashes = sorted({digest for entry in same for digest in entry.sha256})
    return Locked(first.name, first.version, first.licence, tuple(hashes))


@click.command()
def lock() -> None:
    """Lock the newest libraries that the project permits, for each package."""
    for package in (*PACKAGES, RUNTIME_CLIENT):
        click.echo(f"{package.lock.name}: {write_lock(package)} libraries")
