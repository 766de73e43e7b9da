"""The card that comes with somebody else's ONNX model: what they know of it. What they leave out is found by trying."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from infra.model.build import imagenet_classes
from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELDS = frozenset({"name", "input", "output", "classes", "licence", "source"})
INPUT_FIELDS = frozenset(
    {"name", "layout", "width_pixels", "height_pixels", "mean", "scale", "colour_order", "fit", "shorter_side_pixels"}
)
OUTPUT_FIELDS = frozenset({"name", "kind", "features"})
IMAGENET = "imagenet"  # instead of a list of classes: ImageNet's 1,000, sorted by WordNet id
CROP_MARGIN = 8 / 7  # of the shorter side over the model's own, where the card names none: 256 over 224


class OutputKind(StrEnum):
    """What the answer is before anything is done with it."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True)
class ForeignClass:
    """One class: its WordNet id or its keyword's id, if it has one, its name, and what it belongs below, if new."""

    id: str | None
    name: str
    below: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignCard:
    """What somebody says of their model; None is what they do not say."""

    name: str
    classes: tuple[ForeignClass, ...]
    licence: str
    source: str
    input_name: str | None = None
    layout: str | None = None
    width_pixels: int | None = None
    height_pixels: int | None = None
    mean: tuple[float, float, float] | None = None
    scale: tuple[float, float, float] | None = None
    colour_order: str | None = None
    fit: str = "crop"
    shorter_side_pixels: int | None = None
    output_name: str | None = None
    output_kind: OutputKind | None = None
    features_name: str | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the card in the file.

        Raises:
            CallerError: it cannot be read, or a field of it cannot be meant; the message names the field.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CallerError(f"{path} cannot be read as JSON ({error})") from error
        if not isinstance(document, dict):
            raise CallerError(f"{path} is no card: it must be a JSON object with name, input, output and classes")
        reader = _Fields(path, document)
        reader.refuse_unknown("", document, FIELDS)
        given = reader.section("input")
        output = reader.section("output")
        reader.refuse_unknown("input.", given, INPUT_FIELDS)
        reader.refuse_unknown("output.", output, OUTPUT_FIELDS)
        return cls(
            name=reader.text("", document, "name") or path.stem,
            classes=reader.classes(),
            licence=reader.text("", document, "licence") or "not stated",
            source=reader.text("", document, "source") or "not stated",
            input_name=reader.text("input.", given, "name"),
            layout=reader.choice("input.", given, "layout", ("NCHW", "NHWC")),
            width_pixels=reader.pixels(given, "width_pixels"),
            height_pixels=reader.pixels(given, "height_pixels"),
            mean=reader.triple(given, "mean"),
            scale=reader.triple(given, "scale"),
            colour_order=reader.choice("input.", given, "colour_order", ("RGB", "BGR")),
            fit=reader.choice("input.", given, "fit", ("crop", "subject", "squash", "pad")) or "crop",
            shorter_side_pixels=reader.pixels(given, "shorter_side_pixels"),
            output_name=reader.text("output.", output, "name"),
            output_kind=_kind(reader.choice("output.", output, "kind", tuple(OutputKind))),
            features_name=reader.text("output.", output, "features"),
        )


def _kind(text: str | None) -> OutputKind | None:
    return OutputKind(text) if text else None


@dataclass(frozen=True, slots=True)
class _Fields:
    """Reads fields, and names the one that is wrong."""

    path: Path
    document: Mapping[str, Any]

    def mistake(self, field: str, problem: str) -> CallerError:
        return CallerError(f"{self.path}, {field}: {problem}")

    def refuse_unknown(self, prefix: str, section: Mapping[str, Any], known: frozenset[str]) -> None:
        unknown = sorted(section.keys() - known)
        if unknown:
            raise self.mistake(f"{prefix}{unknown[0]}", f"is not one of {', '.join(sorted(known))}")

    def section(self, name: str) -> Mapping[str, Any]:
        section = self.document.get(name, {})
        if not isinstance(section, dict):
            raise self.mistake(name, "must be an object")
        return section

    def text(self, prefix: str, section: Mapping[str, Any], name: str) -> str | None:
        value = section.get(name)
        if value is not None and not isinstance(value, str):
            raise self.mistake(f"{prefix}{name}", f"is {value!r}; it must be text")
        return value or None

    def choice(self, prefix: str, section: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
        value = section.get(name)
        if value is not None and value not in allowed:
            raise self.mistake(f"{prefix}{name}", f"is {value!r}; it must be one of {', '.join(allowed)}")
        return value

    def pixels(self, section: Mapping[str, Any], name: str) -> int | None:
        value = section.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise self.mistake(f"input.{name}", f"is {value!r}; it must be a whole number of pixels, 1 or more")
        return value

    def triple(self, section: Mapping[str, Any], name: str) -> tuple[float, float, float] | None:
        value = section.get(name)
        if value is None:
            return None
        try:
            red, green, blue = (float(part) for part in (value if isinstance(value, list) else [value] * 3))
        except (TypeError, ValueError):
            raise self.mistake(f"input.{name}", f"is {value!r}; it must be a number, or three") from None
        return red, green, blue

    def classes(self) -> tuple[ForeignClass, ...]:
        listed = self.document.get("classes")
        if listed == IMAGENET:
            return tuple(ForeignClass(known.id, known.name) for known in imagenet_classes())
        if not isinstance(listed, list) or not listed:
            raise self.mistake("classes", f"must be {IMAGENET!r}, or a list in the order of the model's answer")
        return tuple(self._class(number, entry) for number, entry in enumerate(listed))

    def _class(self, number: int, entry: object) -> ForeignClass:
        if isinstance(entry, str):
            return ForeignClass(None, entry)
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise self.mistake(f"classes[{number}]", 'must be a name, or an object such as {"id": ..., "name": ...}')
        return ForeignClass(entry.get("id"), entry["name"], entry.get("below"))
