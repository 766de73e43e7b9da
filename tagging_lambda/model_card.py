"""The model card: a classifier's files, their inputs and outputs, and their measured accuracy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.errors import BadModel
from pipeline.model_version import version_of

WHOLE = "whole"
FITS = ("crop", "subject", "squash", "pad", WHOLE)
COLOUR_ORDERS = ("RGB", "BGR")


@dataclass(frozen=True, slots=True)
class InputContract:
    """The model's input: float32 [N, 3, height, width], each value (level - mean) * scale.

    Attributes:
        width_pixels: of the picture given to the model.
        height_pixels: likewise.
        colour_order: `RGB` or `BGR`, of the three channels, of `mean` and of `scale`.
        layout: `NCHW`; no other is supported.
        mean: subtracted per channel, in levels of 0 to 255.
        scale: the factor of the difference, per channel.
        fit: `crop` cuts the middle out after shrinking; `subject` first crops to what stands out from an even border,
            if there is one; `squash` changes the proportions; `pad` adds white around; `whole` does neither, so that
            the size is an upper limit. That is for pictures that no model reads.
        shorter_side_pixels: the length of the shorter side before a crop.
        name: of the input in the graph.
    """

    width_pixels: int
    height_pixels: int
    colour_order: str
    layout: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    fit: str
    shorter_side_pixels: int
    name: str = "pixels"

    def __post_init__(self) -> None:
        """Refuse a contract that no picture can meet."""
        if self.layout != "NCHW":
            raise BadModel(f"the card's input layout is {self.layout!r}; only 'NCHW' is supported")
        if self.colour_order not in COLOUR_ORDERS:
            raise BadModel(f"the card's colour order is {self.colour_order!r}; it must be one of {COLOUR_ORDERS}")
        if self.fit not in FITS:
            raise BadModel(f"the card's fit is {self.fit!r}; it must be one of {FITS}")
        if min(self.width_pixels, self.height_pixels, self.shorter_side_pixels) < 1:
            raise BadModel(f"the card's input is {self.width_pixels} x {self.height_pixels} pixels; the least is 1 x 1")
        if self.fit in ("crop", "subject") and self.shorter_side_pixels < max(self.width_pixels, self.height_pixels):
            size = f"{self.width_pixels} x {self.height_pixels}"
            raise BadModel(f"the card crops {size} pixels out of a shorter side of {self.shorter_side_pixels}")


@dataclass(frozen=True, slots=True)
class OutputContract:
    """The names of the two outputs in the graph.

    `logits` is float32 [N, classes], before any softmax; `features` is float32 [N, feature_count].
    """

    logits: str
    features: str
    feature_count: int


@dataclass(frozen=True, slots=True)
class ModelClass:
    """One class of the model: its index in the output, its WordNet 3.0 id and its name."""

    class_index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the model, with what identifies it as the file that was measured."""

    name: str
    sha256: str
    size_bytes: int
    precision: str


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where the weights come from and under which licence."""

    package: str
    integrity: str
    licence: str


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """How the files were made from the source; another recipe makes another build."""

    version: int
    calibrated_on: str
    calibration_integrity: str
    calibration_images: int


@dataclass(frozen=True, slots=True)
class MeasuredAccuracy:
    """The accuracy of one file of the model on photos whose class is known.

    `top1` and `top5` are shares in [0, 1]: of the photos whose class was the first answer, or among the first five.
    """

    precision: str
    photos: str
    photos_sha256: str
    images: int
    top1: float
    top5: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything known about one model.

    The logits are divided by `temperature`, so that class scores are calibrated; 1 leaves the model unchanged.
    """

    name: str
    served: str
    input: InputContract
    output: OutputContract
    source: ModelSource
    recipe: ModelRecipe
    files: tuple[ModelFile, ...]
    accuracy: tuple[MeasuredAccuracy, ...]
    classes: tuple[ModelClass, ...]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a card that contradicts itself."""
        self.file(self.served)
        if self.input.fit == WHOLE:
            raise BadModel(f"the card of {self.name} has the fit {WHOLE!r}, whose pictures differ in size; use 'pad'")
        if not self.temperature > 0:
            raise BadModel(f"the card of {self.name} has the temperature {self.temperature}; it must be above 0")
        if not self.classes or [model_class.class_index for model_class in self.classes] != list(
            range(len(self.classes))
        ):
            raise BadModel(f"the card of {self.name} does not list its classes in order, from 0, without a gap")

    @property
    def version(self) -> str:
        """The version that identifies the answers: the served file, how pictures are fitted, and the temperature."""
        return version_of(self.file(self.served).sha256, self.temperature, self.input.fit)

    def file(self, precision: str) -> ModelFile:
        """Return the file of that precision.

        Raises:
            BadModel: The model has none.
        """
        for file in self.files:
            if file.precision == precision:
                return file
        raise BadModel(f"the card of {self.name} lists no file of precision {precision!r}")

    def to_json(self) -> str:
        """Return the card as the text of its file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the card written at `path`.

        Raises:
            BadModel: There is none, or it cannot be understood.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise BadModel(f"{path} does not exist; `catalog-tagger model build` makes the default model") from error
        except (OSError, UnicodeDecodeError) as error:
            raise BadModel(f"{path} cannot be read ({error})") from error
        try:
            return cls._read(json.loads(text))
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"{path} is not a model card ({type(error).__name__}: {error})") from error

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> Self:
        contract = dict(document["input"])
        for per_channel in ("mean", "scale"):
            red, green, blue = map(float, contract[per_channel])
            contract[per_channel] = (red, green, blue)
        return cls(
            name=document["name"],
            served=document["served"],
            input=InputContract(**contract),
            output=OutputContract(**document["output"]),
            source=ModelSource(**document["source"]),
            recipe=ModelRecipe(**document["recipe"]),
            files=tuple(ModelFile(**file) for file in document["files"]),
            accuracy=tuple(MeasuredAccuracy(**accuracy) for accuracy in document["accuracy"]),
            classes=tuple(ModelClass(**model_class) for model_class in document["classes"]),
            temperature=float(document.get("temperature", 1)),
        )
