"""The code packages of the deployed functions: which sources and libraries each one contains."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import requires
from io import BytesIO
from pathlib import Path

from pipeline.front_settings import MODELS_FOLDER
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import OVERLAY_NAME, overlay_path
from tagging_lambda.model_card import ModelCard

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
LOCKS = ROOT / "infra" / "locks"
OLDEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip: the same sources always make the same zip
OVERLAY_IN_PACKAGE = f"pipeline/{OVERLAY_NAME}"  # beside the taxonomy, where the functions look for it
COMPARED_VARIABLE = "COMPARED_MODELS"
STARTER_HEAD = tuple(f"tagging_lambda/words/starter/{name}" for name in (CARD_NAME, "weights.npz"))
STORED = {".onnx"}  # weights hardly compress, and every worker unpacks them


@dataclass(frozen=True, slots=True)
class Package:
    """The contents of one function's package.

    Attributes:
        function: its name in the template.
        rooms: the source folders.
        libraries: the libraries it needs, by their names in pyproject.toml.
        holds_model: whether it contains the model, in ``model/``.
        compares: whether it also contains the further installed models, each in ``models/NAME/``.
        files: single files of other rooms, which are data and no code.
        locks: the folder of the lock file.
    """

    function: str
    rooms: tuple[str, ...]
    libraries: tuple[str, ...]
    holds_model: bool = False
    compares: bool = False
    files: tuple[str, ...] = ()
    locks: Path = LOCKS

    @property
    def code_uri(self) -> str:
        """The code's path in the template: a zip, which deploying replaces by an address in S3."""
        return f"../build/{self.function}.zip"

    @property
    def lock(self) -> Path:
        """The lock file, with the libraries' exact versions and hashes."""
        return self.locks / f"{self.function}.txt"

    def sources(self, model_dir: Path | None, root: Path = ROOT, compared: Path | None = None) -> dict[str, Path]:
        """Return the files by their names in the package, sorted; the shop's overlay goes beside the taxonomy.

        Without ``model_dir``, the function fetches the model at start. ``compared`` is the folder of further models.

        Raises:
            BadModel: the package needs the model, and there is none.
            BadTaxonomy: the shop's overlay contradicts itself.
        """
        Vocabulary.load()
        files = {path.relative_to(root).as_posix(): path for room in self.rooms for path in files_of(root / room)}
        files |= {name: root / name for name in self.files}
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
        files=STARTER_HEAD,
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

RUNTIME_CLIENT = Package(
    function="RuntimeClient", rooms=(), libraries=("awslambdaric",)
)  # part of AWS Lambda's own runtime


def zip_files(sources: Mapping[str, Path], comment: str = "") -> bytes:
    """Return a zip of the files with the comment; the same files make the same bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in sources.items():
            entry = zipfile.ZipInfo(name, OLDEST_ZIP_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
        archive.comment = comment.encode()
    return buffer.getvalue()


def with_code(template: str, places: Mapping[str, str]) -> str:
    """Return the template with each package's path replaced by its address in S3."""
    for package in PACKAGES:
        template = template.replace(f"CodeUri: {package.code_uri}\n", f"CodeUri: {places[package.function]}\n")
    return template


def requirements(package: Package) -> list[str]:
    """Return the package's libraries with the version ranges of this project."""
    required = {_name(line): line for line in requires("catalog-tagger") or () if "extra ==" not in line}
    return [required.get(library, library) for library in package.libraries]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def compared_models() -> Path | None:
    """Return the folder of further models to package for AWS: ``COMPARED_MODELS``, or None.

    Models installed on this machine are not packaged by default, because a second one seldom fits into a package.
    """
    return Path(os.environ[COMPARED_VARIABLE]) if os.environ.get(COMPARED_VARIABLE) else None


def _compared(folder: Path) -> dict[str, Path]:
    """Return the cards and the served files of the further models in the folder."""
    files: dict[str, Path] = {}
    for card_path in folder.glob(f"*/{CARD_NAME}"):
        card = ModelCard.load(card_path)
        for name in (CARD_NAME, card.file(card.served).name):
            files[f"{MODELS_FOLDER}/{card_path.parent.name}/{name}"] = card_path.parent / name
    return files


def files_of(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder except compiled Python."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
