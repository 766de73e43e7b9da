"""The card of somebody else's ONNX model: what its owner knows. Gaps are filled by experiment."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, StrictStr, ValidationError

from infra.model.build import imagenet_classes
from pipeline.errors import CallerError

IMAGENET = "imagenet"  # instead of a list of classes: ImageNet's 1,000, sorted by WordNet id
SHOWN_CHARACTERS = 60  # of an invalid value, chosen by us
CROP_MARGIN = 8 / 7  # of the shorter side to the model's own, if the card gives none: 256 to 224


class OutputKind(StrEnum):
    """What the raw output is."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


def _three(value: Any) -> Any:
    """Return a single number repeated for each channel."""
    if not isinstance(value, int | float | list):
        raise ValueError("it must be a number, or three")  # noqa: TRY004 - pydantic reports a ValueError
    return value if isinstance(value, list) else [value] * 3


def _listed(value: Any) -> Any:
    """Return the classes as objects, given as `imagenet` or as plain names."""
    if value == IMAGENET:
        return [{"id": known.id, "name": known.name} for known in imagenet_classes()]
    return (
        [{"name": entry} if isinstance(entry, str) else entry for entry in value] if isinstance(value, list) else value
    )


Triple = Annotated[tuple[float, float, float], BeforeValidator(_three)]
Pixels = Annotated[PositiveInt, Field(strict=True)]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ForeignClass(_Card):
    """One class: its WordNet or keyword id, if it has one, its name, and its parent, if new."""

    id: StrictStr | None = None
    name: StrictStr
    below: StrictStr | None = None


class ForeignInput(_Card):
    """What the owner says of the model's input; None if left out."""

    name: StrictStr | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    width_pixels: Pixels | None = None
    height_pixels: Pixels | None = None
    mean: Triple | None = None
    scale: Triple | None = None
    colour_order: Literal["RGB", "BGR"] | None = None
    fit: Literal["crop", "subject", "squash", "pad"] = "crop"
    shorter_side_pixels: Pixels | None = None


class ForeignOutput(_Card):
    """What the owner says of the model's output."""

    name: StrictStr | None = None
    kind: OutputKind | None = None
    features: StrictStr | None = None


class ForeignCard(_Card):
    """What the owner says of the model."""

    name: StrictStr = ""
    classes: Annotated[tuple[ForeignClass, ...], BeforeValidator(_listed), Field(min_length=1)]
    licence: StrictStr = "not stated"
    source: StrictStr = "not stated"
    input: ForeignInput = ForeignInput()
    output: ForeignOutput = ForeignOutput()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the card in the file; its name defaults to the file's.

        Raises:
            CallerError: it cannot be read, or a field is invalid; the message names the field.
        """
        try:
            card = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise CallerError(f"{path} cannot be read ({error.strerror})") from error
        except ValidationError as error:
            mistake = error.errors(include_url=False)[0]
            if mistake["type"] == "json_invalid":
                raise CallerError(f"{path} cannot be read as JSON ({mistake['ctx']['error']})") from error
            field = ".".join(map(str, mistake["loc"])) or "the card"
            if mistake["type"] == "extra_forbidden":
                raise CallerError(
                    f"{path}: {field} is not known; known are {_fields_beside(mistake['loc'])}"
                ) from error
            problem = mistake["msg"].removeprefix("Value error, ")
            given = "" if mistake["type"] == "missing" else f" is {repr(mistake['input'])[:SHOWN_CHARACTERS]};"
            raise CallerError(f"{path}, {field}:{given} {problem[0].lower()}{problem[1:]}") from error
        return card if card.name else card.model_copy(update={"name": path.stem})


def _fields_beside(location: Sequence[int | str]) -> str:
    """Return the fields that an object of the card may have, for the location of one that it may not have."""
    parts: dict[str, type[BaseModel]] = {"input": ForeignInput, "output": ForeignOutput, "classes": ForeignClass}
    part = parts[str(location[0])] if len(location) > 1 else ForeignCard
    return ", ".join(part.model_fields)
