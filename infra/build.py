"""Builds each function's package below build/: the unpacked folder, the zip, and the bill of materials."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from infra.package import PACKAGES, ROOT, Package, compared_models, zip_files
from infra.sbom import bill_of_materials
from infra.wheels import Architecture, compile_modules, libraries, recipe
from pipeline.errors import DeployerError
from pipeline.settings import model_dir as default_model_dir
from pipeline.whole_file import written_whole

BUILD = ROOT / "build"
MAX_UNZIPPED_BYTES = 262_144_000  # the largest package AWS Lambda permits, libraries and all


@dataclass(frozen=True, slots=True)
class Built:
    """A built package: its zip, whose comment is the sha256 of all its inputs, and the unpacked folder beside it."""

    zip: Path

    def __str__(self) -> str:
        size_bytes = self.unzipped_bytes
        margin = f"{MAX_UNZIPPED_BYTES - size_bytes:,} below the limit"
        return f"{self.zip.name}: {self.zip.stat().st_size:,} bytes; unzipped {size_bytes:,}, {margin}"

    @property
    def folder(self) -> Path:
        """The folder of the unpacked package."""
        return self.zip.with_suffix("")

    @property
    def unzipped_bytes(self) -> int:
        """The size of all its files."""
        with zipfile.ZipFile(self.zip) as archive:
            return sum(entry.file_size for entry in archive.infolist())

    def is_from(self, inputs_sha256: str) -> bool:
        """Return whether the package exists, and was made from these inputs."""
        if not (self.zip.exists() and self.folder.exists()):
            return False
        with zipfile.ZipFile(self.zip) as archive:
            return archive.comment.decode() == inputs_sha256


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
    built = Built(out / f"{package.function}.zip")
    sha256 = _inputs_sha256(package.sources(model_dir, compared=compared_models()), recipe(package.lock, architecture))
    if built.is_from(sha256):
        return built
    # Functions with the same rooms and libraries are compressed once.
    same = next((other for other in map(Built, sorted(out.glob("*.zip"))) if other.is_from(sha256)), None)
    # Deleted first: an interrupted build must not pass for the previous one.
    built.zip.unlink(missing_ok=True)
    if same is not None:
        shutil.rmtree(built.folder, ignore_errors=True)
        shutil.copytree(same.folder, built.folder, copy_function=os.link)
        with written_whole(built.zip) as partial:
            shutil.copyfile(same.zip, partial)
        return built
    folder = unpack(package, out, model_dir, architecture)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    size_bytes = sum(path.stat().st_size for path in files.values())
    if size_bytes > MAX_UNZIPPED_BYTES:
        raise DeployerError(f"{package.function} has {size_bytes:,} bytes; the limit is {MAX_UNZIPPED_BYTES:,}")
    with written_whole(built.zip) as partial:
        partial.write_bytes(zip_files(dict(sorted(files.items())), sha256))
    return built


def _inputs_sha256(sources: Mapping[str, Path], libraries_recipe: list[str]) -> str:
    """Return one hash of the sources, by name and content, and of the recipe of the libraries."""
    total = hashlib.sha256("\n".join(libraries_recipe).encode())
    for name, path in sources.items():
        with path.open("rb") as file:
            total.update(f"\n{name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return total.hexdigest()


def build_all(architecture: Architecture, *, with_model: bool) -> Iterator[Built]:
    """Build each package at the path that the template names, with its bill of materials, and yield it.

    Raises:
        BadModel: a package needs the model, and none was built.
        DeployerError: libraries cannot be installed, or a package is larger than AWS Lambda permits.
    """
    model_dir = default_model_dir() if with_model else None
    for package in PACKAGES:
        yield build(package, BUILD, model_dir, architecture)
        bill = bill_of_materials(package, model_dir)
        (BUILD / f"{package.function}.cdx.json").write_text(bill, encoding="utf-8")


# click compares an enumeration's names; people type its values.
architecture_choice = click.Choice([architecture.value for architecture in Architecture])


@click.command()
@click.option("--arch", type=architecture_choice, default=Architecture.X86_64.value, show_default=True)
@click.option("--model/--no-model", default=True, show_default=True, help="Whether packages contain the model.")
def package(arch: str, *, model: bool) -> None:
    """Build all packages at the paths that the template names, each with its bill of materials."""
    for built in build_all(Architecture(arch), with_model=model):
        click.echo(built)
