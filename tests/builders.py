"""Builders and fakes that the tests of several rooms share."""

from __future__ import annotations

import io
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pipeline.facts import Margins, PhotoFacts
from pipeline.images import ImageRef
from pipeline.keywords import LANGUAGES, Keyword, Use, Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.records import Observation, RejectedImage, TaggedImage
from tagging_lambda.classification_cache import ClassificationCache
from tagging_lambda.image.decode import read_picture
from tagging_lambda.model_card import InputContract
from tagging_lambda.reconcile import Reconciler
from tagging_lambda.words.classes_and_heads import KeywordMapper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.reject_reasons import RejectReason

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
CONTRACT = InputContract(224, 224, "RGB", "NCHW", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "crop", 256)
COLOURS = ("red", "green", "blue")


def vocabulary_of(keywords: Iterable[Keyword], version: str, languages: tuple[str, ...] = LANGUAGES) -> Vocabulary:
    """Return the vocabulary of these nodes, whose parents are among them."""
    return Vocabulary({keyword.id: keyword for keyword in keywords}, version, languages)


def jpeg(colour: object = "red", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """Return a JPEG of one colour."""
    return encoded(Image.new("RGB", size, colour), "JPEG", **options)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return the picture as a file of that format."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def photo_facts(**changes: object) -> PhotoFacts:
    """Return the facts of a photo that breaks no rule: a red product on white, with any of them changed."""
    facts = PhotoFacts(
        width_pixels=1600,
        height_pixels=1600,
        file_bytes=400_000,
        format="JPEG",
        border_rgb=(255, 255, 255),
        border_evenness=1.0,
        border_whiteness=1.0,
        frame=0.0,
        fill=0.6,
        margins=Margins(0.05, 0.05, 0.05, 0.05),
        sharpness=0.6,
        brightness=0.7,
        clipped=0.0,
        colour_shares=(1.0,) + (0.0,) * 11,
        colour_certainty=1.0,
        palette=bytes(15),
    )
    return replace(facts, **changes)


def shop(key: str = "a.jpg") -> ImageRef:
    """Return an image of the one shop there is."""
    return ImageRef("shop", key)


def observation(image: ImageRef, etag: str | None = '"e"') -> Observation:
    """Return what was seen of the image, as that object."""
    seen_at = datetime(2026, 3, 1, tzinfo=UTC)
    return Observation(image, image.key, "run-1", seen_at, etag, seen_at, "model-1", "words-1")


def tagged_image(image: ImageRef, etag: str = '"e"') -> TaggedImage:
    """Return the record of a tagged image without keywords."""
    return TaggedImage(observation(image, etag), (), (), 640, 480)


def rejected_image(image: ImageRef, reason: RejectReason, detail: str) -> RejectedImage:
    """Return the record of an image that was rejected."""
    return RejectedImage(observation(image), reason, detail)


def keyword(name: str, *parents: str, use: Use = Use.KEYWORD, threshold: float | None = None) -> Keyword:
    """Return a keyword whose id is its name, in four languages."""
    words = {language: (name if language == "en" else f"{name} {language}",) for language in LANGUAGES}
    return Keyword(name, parents, use, threshold, words)


def colour_vocabulary(version: str = "words-1") -> Vocabulary:
    """Return a vocabulary of three goods, each of a colour, below one parent."""
    return vocabulary_of([keyword("paint"), *(keyword(colour, "paint") for colour in COLOURS)], version)


@dataclass
class ColourClassifier:
    """Classifies a picture as its strongest colour. ``pictures`` counts what it was given."""

    version: str = "colours-1"
    pictures: int = 0
    batches: list[int] = field(default_factory=list)
    projection: object = None  # it has no features to keep

    @property
    def card(self) -> SimpleNamespace:
        """Return what the verbs read of a card."""
        classes = tuple(SimpleNamespace(id=colour, name=colour) for colour in COLOURS)
        return SimpleNamespace(version=self.version, input=CONTRACT, classes=classes)

    def classify(self, pixels: np.ndarray) -> list[SimpleNamespace]:
        """Return the share of each colour as its score."""
        self.pictures += len(pixels)
        self.batches.append(len(pixels))
        means = pixels.mean(axis=(2, 3)) + 1e-3
        return [SimpleNamespace(scores=(mean / mean.sum()).astype(np.float32), vector=None) for mean in means]


@lru_cache(maxsize=64)  # tests of many interleavings read the same few pictures thousands of times
def _read_once(data: bytes):
    return read_picture(data, CONTRACT)


class InlineReader:
    """Reads pictures in this process, equal files once."""

    def read(self, data: bytes):
        """Return the picture in the file."""
        return _read_once(data)

    def close(self) -> None:
        """Nothing is held."""


class InlineExecutor(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, call, /, *arguments, **named):
        """Return the ended future."""
        future: Future = Future()
        try:
            future.set_result(call(*arguments, **named))
        except BaseException as error:  # noqa: BLE001 - the future carries it, as a thread's would
            future.set_exception(error)
        return future


class TickingClock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Start at that time."""
        self.now = start

    def __call__(self) -> datetime:
        """Return the time, a second later each time."""
        self.now += timedelta(seconds=1)
        return self.now


def tagger(**parts: object) -> Reconciler:
    """Return a tagger on fakes, with any part replaced."""
    classifier = parts.pop("classifier", None) or ColourClassifier()
    reader = parts.pop("reader", None) or InlineReader()
    vocabulary = parts.pop("vocabulary", None) or colour_vocabulary()
    defaults = {
        "images": MemoryImages(),
        "table": MemoryTable(),
        "cache": ClassificationCache(reader, classifier),
        "mapper": KeywordMapper.of(vocabulary, COLOURS),
        "products": ProductPattern.parse(DEFAULT_PRODUCT_PATTERN),
        "clock": TickingClock(),
        "pool": InlineExecutor(),
    }
    return Reconciler(**(defaults | parts))
