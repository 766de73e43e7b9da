"""Builds each function's package below build/: the folder that AWS Lambda would unpack, its zip, and its bill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import click

from infra.package import PACKAGES, ROOT, compared_models, zipped
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
    """A package as it was built: its zip, how large AWS Lambda unpacks it, and the sha256 of all that it came from."""

    zip: Path
    unzipped_bytes: int
    inputs_sha256: str

    def __str__(self) -> str:
        left = f"{MAX_UNZIPPED_BYTES - self.unzipped_bytes:,} below the limit"
        return f"{self.zip.name}: {self.zip.stat().st_size:,} bytes; unzipped {self.unzipped_bytes:,}, {left}"

    @property
    def folder(self) -> Path:
        """The package as AWS Lambda unpacks it."""
        return self.zip.with_suffix("")

    @classmethod
    def load(cls, archive: Path) -> Self | None:
        """Return what ``save`` kept about the zip, or None where it is not there whole."""
        note = archive.with_suffix(".json")
        if not (note.exists() and archive.exists() and archive.with_suffix("").exists()):
            return None
        return cls(archive, **json.loads(note.read_text(encoding="utf-8")))

    def save(self) -> None:
        """Keep what this is, beside the zip."""
        facts = asdict(self)
        del facts["zip"]
        self.zip.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")


def laid_out(package: Package, out: Path, model_dir: Path | None, architecture: Architecture) -> Path:
    """Return a folder below ``out`` with the package as AWS Lambda unpacks it, libraries and all.

    Raises:
        DeployerError: the libraries cannot be had.
    """
    folder = out / package.function
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(libraries(package.lock, out, architecture), folder, copy_function=os.link)
    for name, path in package.sources(model_dir, compared=compared_models()).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    compile_modules(folder, package.rooms)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # an image holds them as they are
    return folder


def build(package: Package, out: Path, model_dir: Path | None, architecture: Architecture) -> Built:
    """Return the package below ``out``, built unless it is there from the same inputs.

    The same inputs, by the same Python, make the same bytes.

    Raises:
        DeployerError: the libraries cannot be had, or the package is larger than AWS Lambda permits.
    """
    archive = out / f"{package.function}.zip"
    sha256 = _inputs_sha256(package.sources(model_dir, compared=compared_models()), recipe(package.lock, architecture))
    before = Built.load(archive)
    if before is not None and before.inputs_sha256 == sha256:
        return before
    # Forgotten first: a build that is stopped half way must not pass for the one before it.
    archive.with_suffix(".json").unlink(missing_ok=True)
    twin = _built_from(sha256, out)
    if twin is not None:
        return _copied(twin, archive)
    folder = laid_out(package, out, model_dir, architecture)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    size_bytes = sum(path.stat().st_size for path in files.values())
    if size_bytes > MAX_UNZIPPED_BYTES:
        raise DeployerError(f"{package.function} has {size_bytes:,} bytes; the limit is {MAX_UNZIPPED_BYTES:,}")
    archive.write_bytes(zipped(dict(sorted(files.items()))))
    built = Built(archive, size_bytes, sha256)
    built.save()
    return built


def _built_from(sha256: str, out: Path) -> Built | None:
    """Return a package of another function that came from the same inputs, or None."""
    there = map(Built.load, sorted(out.glob("*.zip")))
    return next((built for built in there if built and built.inputs_sha256 == sha256), None)


def _copied(built: Built, archive: Path) -> Built:
    """Return a copy of the package at this zip: two functions of the same rooms and libraries are compressed once."""
    shutil.copyfile(built.zip, archive)
    shutil.rmtree(archive.with_suffix(""), ignore_errors=True)
    shutil.copytree(built.folder, archive.with_suffix(""), copy_function=os.link)
    copy = Built(archive, built.unzipped_bytes, built.inputs_sha256)
    copy.save()
    return copy


def _inputs_sha256(sources: Mapping[str, Path], libraries_recipe: list[str]) -> str:
    """Return one hash of the sources, by name and content, and of the recipe that its libraries are installed by."""
    total = hashlib.sha256("\n".join(libraries_recipe).encode())
    for name, path in sources.items():
        with path.open("rb") as file:
            total.update(f"\n{name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return total.hexdigest()


def build_all(architecture: Architecture, *, with_model: bool, out: Path = BUILD) -> Iterator[Built]:
    """Yield each package once it is where the template says its code is, with its bill of materials beside it.

    Raises:
        BadModel: a package holds the model, and none was built.
        DeployerError: libraries cannot be had, or a package is larger than AWS Lambda permits.
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
@click.option("--model/--no-model", default=True, show_default=True, help="Whether the model lies in the package.")
def package(arch: str, *, model: bool) -> None:
    """Build all packages where the template says their code is, each with its bill of materials."""
    for built in build_all(Architecture(arch), with_model=model):
        click.echo(built)
