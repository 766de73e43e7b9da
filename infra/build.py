"""Builds each function's package below build/: the unpacked folder, the zip, and the bill of materials."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import click

from infra.package import PACKAGES, ROOT, compared_models, zip_files
from infra.sbom import bill_of_materials
from infra.wheels import Architecture, compile_modules, libraries, recipe
from pipeline.errors import DeployerError
from pipeline.settings import model_dir as default_model_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.package import Package

BUILD = ROOT / "build"
MAX_UNZIPPED_BYTES = 262_144_000  # the largest package AWS Lambda permits, libraries and all


@dataclass(frozen=True, slots=True)
class Built:
    """A built package: its zip, its unpacked size, and the sha256 of all its inputs."""

    zip: Path
    unzipped_bytes: int
    inputs_sha256: str

    def __str__(self) -> str:
        margin = f"{MAX_UNZIPPED_BYTES - self.unzipped_bytes:,} below the limit"
        return f"{self.zip.name}: {self.zip.stat().st_size:,} bytes; unzipped {self.unzipped_bytes:,}, {margin}"

    @property
    def folder(self) -> Path:
        """The folder of the unpacked package."""
        return self.zip.with_suffix("")

    @classmethod
    def load(cls, archive: Path) -> Self | None:
        """Return what ``save`` wrote about the zip, or None if any part is missing."""
        note = archive.with_suffix(".json")
        if not (note.exists() and archive.exists() and archive.with_suffix("").exists()):
            return None
        return cls(archive, **json.loads(note.read_text(encoding="utf-8")))

    def save(self) -> None:
        """Write these facts beside the zip."""
        facts = asdict(self)
        del facts["zip"]
        self.zip.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")


def unpack(package: Package, out: Path, model_dir: Path | None, architecture: Architecture) -> Path:
    """Return a folder below ``out`` with the package as AWS Lambda unpacks it, libraries included.

    Raises:
        DeployerError: the libraries cannot be installed.
    """
    folder = out / package.function
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(libraries(package.lock, out, architecture), folder, copy_function=os.link)
    for name, path in package.sources(model_dir, compared=compared_models()).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    compile_modules(folder, package.rooms)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # a container image keeps these permissions
    return folder


def build(package: Package, out: Path, model_dir: Path | None, architecture: Architecture) -> Built:
    """Return the package below ``out``, built unless it exists from the same inputs.

    The same inputs, by the same Python, make the same bytes.

    Raises:
        DeployerError: the libraries cannot be installed, or the package is larger than AWS Lambda permits.
    """
    archive = out / f"{package.function}.zip"
    sha256 = _inputs_sha256(package.sources(model_dir, compared=compared_models()), recipe(package.lock, architecture))
    before = Built.load(archive)
    if before is not None and before.inputs_sha256 == sha256:
        return before
    # Deleted first: an interrupted build must not pass for the previous one.
    archive.with_suffix(".json").unlink(missing_ok=True)
    same = _built_from(sha256, out)
    if same is not None:
        return _copied(same, archive)
    folder = unpack(package, out, model_dir, architecture)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    size_bytes = sum(path.stat().st_size for path in files.values())
    if size_bytes > MAX_UNZIPPED_BYTES:
        raise DeployerError(f"{package.function} has {size_bytes:,} bytes; the limit is {MAX_UNZIPPED_BYTES:,}")
    archive.write_bytes(zip_files(dict(sorted(files.items()))))
    built = Built(archive, size_bytes, sha256)
    built.save()
    return built


def _built_from(sha256: str, out: Path) -> Built | None:
    """Return a package of another function that was built from the same inputs, or None."""
    packages = map(Built.load, sorted(out.glob("*.zip")))
    return next((built for built in packages if built and built.inputs_sha256 == sha256), None)


def _copied(built: Built, archive: Path) -> Built:
    """Return a copy of the package at this path: functions with the same rooms and libraries are compressed once."""
    shutil.copyfile(built.zip, archive)
    shutil.rmtree(archive.with_suffix(""), ignore_errors=True)
    shutil.copytree(built.folder, archive.with_suffix(""), copy_function=os.link)
    copy = Built(archive, built.unzipped_bytes, built.inputs_sha256)
    copy.save()
    return copy


def _inputs_sha256(sources: Mapping[str, Path], libraries_recipe: list[str]) -> str:
    """Return one hash of the sources, by name and content, and of the recipe of the libraries."""
    total = hashlib.sha256("\n".join(libraries_recipe).encode())
    for name, path in sources.items():
        with path.open("rb") as file:
            total.update(f"\n{name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return total.hexdigest()


def build_all(architecture: Architecture, *, with_model: bool, out: Path = BUILD) -> Iterator[Built]:
    """Build each package at the path that the template names, with its bill of materials, and yield it.

    Raises:
        BadModel: a package needs the model, and none was built.
        DeployerError: libraries cannot be installed, or a package is larger than AWS Lambda permits.
    """
    model_dir = default_model_dir() if with_model else None
    for package in PACKAGES:
        yield build(package, out, model_dir, architecture)
        bill = bill_of_materials(package, model_dir)
        (out / f"{package.function}.cdx.json").write_text(bill, encoding="utf-8")


# click compares an enumeration's names; people type its values.
architecture_choice = click.Choice([architecture.value for architecture in Architecture])


@click.command()
@click.option("--arch", type=architecture_choice, default=Architecture.X86_64.value, show_default=True)
@click.option("--model/--no-model", default=True, show_default=True, help="Whether packages contain the model.")
def package(arch: str, *, model: bool) -> None:
    """Build all packages at the paths that the template names, each with its bill of materials."""
    for built in build_all(Architecture(arch), with_model=model):
        click.echo(built)
