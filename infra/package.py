"""The code packages of the deployed functions: which sources and libraries each needs, as a folder and as a zip."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from importlib.metadata import requires
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.wheels import Architecture, libraries
from pipeline.errors import DeployerError
from pipeline.front_settings import MODELS_FOLDER
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import OVERLAY_NAME, overlay_path
from pipeline.settings import model_dir as default_model_dir
from tagging_lambda.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
LOCKS = ROOT / "infra" / "locks"
BUILD = ROOT / "build"
MAX_UNZIPPED_BYTES = 262_144_000  # the largest package AWS Lambda permits, libraries and all
OLDEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a zip's first moment: the same sources always make the same zip
OVERLAY_IN_PACKAGE = f"pipeline/{OVERLAY_NAME}"  # beside the taxonomy, where the functions look for it
COMPARED_VARIABLE = "COMPARED_MODELS"
STORED = {".onnx"}  # weights hardly shrink, and every worker unpacks them


@dataclass(frozen=True, slots=True)
class Package:
    """What one function's code is made of.

    Attributes:
        function: its name in the template.
        rooms: the folders of sources.
        libraries: what it needs of others, by the names in pyproject.toml.
        holds_model: whether the model lies beside the code, in ``model/``.
        compares: whether further models that are installed do so as well, each in ``models/NAME/``.
        locks: the folder of the lock.
    """

    function: str
    rooms: tuple[str, ...]
    libraries: tuple[str, ...]
    holds_model: bool = False
    compares: bool = False
    locks: Path = LOCKS

    @property
    def code_uri(self) -> str:
        """Where the template says the code is: a zip, which deploying replaces by a place in S3."""
        return f"../build/{self.function}.zip"

    @property
    def lock(self) -> Path:
        """The file of the libraries' exact versions and hashes."""
        return self.locks / f"{self.function}.txt"

    def sources(self, model_dir: Path | None, root: Path = ROOT, compared: Path | None = None) -> dict[str, Path]:
        """Return the files by their names in the package, sorted; the shop's own words lie beside the taxonomy.

        Without a folder of the model, the function fetches it at start. Further models lie in the folder ``compared``.

        Raises:
            BadModel: the package holds a model, and there is none.
            BadTaxonomy: the shop's own words contradict themselves.
        """
        Vocabulary.load()
        found = {path.relative_to(root).as_posix(): path for room in self.rooms for path in _files(root / room)}
        if self.holds_model and model_dir:
            card = ModelCard.load(model_dir / CARD_NAME)
            names = (CARD_NAME, card.file(card.served).name)
            found |= {f"model/{name}": model_dir / name for name in names}
        if self.compares and compared:
            found |= _compared(compared)
        overlay = overlay_path()
        return dict(sorted((found | ({OVERLAY_IN_PACKAGE: overlay} if overlay else {})).items()))


PACKAGES = (
    Package(
        function="TagFunction",
        rooms=("pipeline", "tagging_lambda"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "onnxruntime", "pillow"),
        holds_model=True,
    ),
    Package(
        function="ExportFunction",
        rooms=("pipeline", "results_sink"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "pyarrow"),
    ),
    Package(
        function="ChangesFunction",
        rooms=("pipeline", "results_sink"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "pyarrow"),
    ),
    Package(
        function="ApiFunction",
        rooms=("pipeline", "results_sink"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "pyarrow", "pydantic"),
    ),
    Package(
        function="ClassifyFunction",
        rooms=("pipeline", "tagging_lambda"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "onnxruntime", "pillow", "pydantic"),
        holds_model=True,
        compares=True,
    ),
    Package(
        function="UploadFunction",
        rooms=("pipeline", "catalog_loader"),
        libraries=("aws-lambda-powertools", "boto3", "pydantic"),
    ),
    Package(function="WatchFunction", rooms=("pipeline", "results_sink"), libraries=("boto3",)),
    Package(function="NotifyFunction", rooms=("pipeline", "results_sink"), libraries=("boto3",)),
    Package(
        function="DeskFunction",
        rooms=("pipeline", "results_sink"),
        libraries=("aws-lambda-powertools", "boto3", "pydantic"),
    ),
    Package(
        function="DecideFunction",
        rooms=("pipeline", "tagging_lambda"),
        libraries=("aws-lambda-powertools", "boto3", "pydantic"),
    ),
    Package(
        function="PageFunction", rooms=("pipeline", "results_sink"), libraries=("aws-lambda-powertools", "pydantic")
    ),
)

RUNTIME_CLIENT = Package(function="RuntimeClient", rooms=(), libraries=("awslambdaric",))  # AWS Lambda has it already


def zipped(sources: Mapping[str, Path]) -> bytes:
    """Return a zip of the files, the same bytes for the same files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in sources.items():
            entry = zipfile.ZipInfo(name, OLDEST_ZIP_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def with_code(template: str, places: Mapping[str, str]) -> str:
    """Return the template with each package's folder replaced by its place in S3, and nothing else changed."""
    for each in PACKAGES:
        template = template.replace(f"CodeUri: {each.code_uri}\n", f"CodeUri: {places[each.function]}\n")
    return template


@dataclass(frozen=True, slots=True)
class Built:
    """A package as it was built: the folder as AWS Lambda unpacks it, and the zip of it."""

    folder: Path
    zip: Path
    unzipped_bytes: int

    def __str__(self) -> str:
        left = f"{MAX_UNZIPPED_BYTES - self.unzipped_bytes:,} below the limit"
        return f"{self.zip.name}: {self.zip.stat().st_size:,} bytes; unzipped {self.unzipped_bytes:,}, {left}"


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
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # an image holds them as they are
    return folder


def build(package: Package, out: Path, model_dir: Path | None, architecture: Architecture) -> Built:
    """Build the package below ``out``: the same inputs, by the same Python, make the same bytes.

    Raises:
        DeployerError: the libraries cannot be had, or the package is larger than AWS Lambda permits.
    """
    folder = laid_out(package, out, model_dir, architecture)
    files = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    size_bytes = sum(path.stat().st_size for path in files.values())
    if size_bytes > MAX_UNZIPPED_BYTES:
        raise DeployerError(f"{package.function} has {size_bytes:,} bytes; the limit is {MAX_UNZIPPED_BYTES:,}")
    archive = out / f"{package.function}.zip"
    archive.write_bytes(zipped(dict(sorted(files.items()))))
    return Built(folder, archive, size_bytes)


def requirements(package: Package) -> list[str]:
    """Return the package's libraries with the versions that this project asks for."""
    asked = {_name(line): line for line in requires("catalog-tagger") or () if "extra ==" not in line}
    return [asked.get(library, library) for library in package.libraries]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def compared_models(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of further models that are packaged for AWS: ``COMPARED_MODELS``, or none.

    Not by themselves those that are installed on this machine: a second model seldom fits into one package.
    """
    return Path(environment[COMPARED_VARIABLE]) if environment.get(COMPARED_VARIABLE) else None


def _compared(folder: Path) -> dict[str, Path]:
    """Return the cards and the served files of the models that are installed to be compared."""
    found: dict[str, Path] = {}
    for card_path in folder.glob(f"*/{CARD_NAME}"):
        card = ModelCard.load(card_path)
        for name in (CARD_NAME, card.file(card.served).name):
            found[f"{MODELS_FOLDER}/{card_path.parent.name}/{name}"] = card_path.parent / name
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


@click.command()
@click.option("--arch", type=click.Choice(list(Architecture)), default=Architecture.X86_64, show_default=True)
@click.option("--model/--no-model", default=True, show_default=True, help="Whether the model lies in the package.")
def package(arch: Architecture, model: bool) -> None:
    """Build all packages where the template says their code is, ready for `sam deploy`, each with its bill."""
    from infra.sbom import bill_of_materials  # noqa: PLC0415 - it reads the locks, which this module locates

    model_dir = default_model_dir() if model else None
    for each in PACKAGES:
        click.echo(build(each, BUILD, model_dir, arch))
        (BUILD / f"{each.function}.cdx.json").write_text(bill_of_materials(each, model_dir), encoding="utf-8")


if __name__ == "__main__":
    package()
