"""The code packages of the deployed functions: which sources and libraries each needs, as a folder and as a zip."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from importlib.metadata import requires
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.front_settings import MODELS_FOLDER
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import OVERLAY_NAME, overlay_path
from tagging_lambda.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
LOCKS = ROOT / "infra" / "locks"
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
        files = {path.relative_to(root).as_posix(): path for room in self.rooms for path in files_of(root / room)}
        if self.holds_model and model_dir:
            card = ModelCard.load(model_dir / CARD_NAME)
            names = (CARD_NAME, card.file(card.served).name)
            files |= {f"model/{name}": model_dir / name for name in names}
        if self.compares and compared:
            files |= _compared(compared)
        overlay = overlay_path()
        return dict(sorted((files | ({OVERLAY_IN_PACKAGE: overlay} if overlay else {})).items()))


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
        libraries=(
            "aws-lambda-powertools",
            "boto3",
            "numpy",
            "pyarrow",
            "pydantic",
            "pyspellchecker",
            "rapidfuzz",
            "simsimd",
            "snowballstemmer",
        ),
    ),
    Package(
        function="ClassifyFunction",
        rooms=("pipeline", "tagging_lambda"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "onnxruntime", "pillow", "pydantic"),
        holds_model=True,
        compares=True,
    ),
    Package(
        function="PictureFunction",
        rooms=("pipeline", "tagging_lambda"),
        libraries=("aws-lambda-powertools", "boto3", "numpy", "pillow", "pydantic"),
    ),
    Package(
        function="UploadFunction",
        rooms=("pipeline", "catalog_loader"),
        libraries=("aws-lambda-powertools", "boto3", "pydantic"),
    ),
    Package(function="BatchJobFunction", rooms=("pipeline", "catalog_loader"), libraries=("boto3",)),
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
        libraries=("aws-lambda-powertools", "boto3", "pydantic", "rapidfuzz"),
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
    for package in PACKAGES:
        template = template.replace(f"CodeUri: {package.code_uri}\n", f"CodeUri: {places[package.function]}\n")
    return template


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
    files: dict[str, Path] = {}
    for card_path in folder.glob(f"*/{CARD_NAME}"):
        card = ModelCard.load(card_path)
        for name in (CARD_NAME, card.file(card.served).name):
            files[f"{MODELS_FOLDER}/{card_path.parent.name}/{name}"] = card_path.parent / name
    return files


def files_of(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder but what Python compiled."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
