"""What files show by their bytes alone: a content is read and classified once, however many names it has."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ImageRejected, NotBegun, RetryLater
from tagging_lambda.image.picture import model_input
from tagging_lambda.words.taxonomy import strongest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.facts import PhotoFacts
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.classify import Classifier
    from tagging_lambda.image.picture import Picture
    from tagging_lambda.image.reader import Reader

KNOWN_CONTENTS = 4096  # chosen by us: the class scores of each take about 2 KB
LEAST_TIME_S = 45.0  # what one image may need: 10 s to be read, three tries of 10 s at the table, and waits between


@dataclass(frozen=True, slots=True)
class Shown:
    """What a picture shows, whatever its name."""

    class_scores: tuple[ClassScore, ...]
    width_pixels: int
    height_pixels: int
    low_information: bool
    vector: FeatureVector | None = None
    facts: PhotoFacts | None = None


Finding = Shown | ImageRejected


@dataclass
class ClassificationCache:
    """Reads and classifies files, and remembers of the last ``most`` contents what came of them. For one thread."""

    reader: Reader
    classifier: Classifier
    most: int = KNOWN_CONTENTS
    _known: OrderedDict[bytes, Finding] = field(default_factory=OrderedDict, repr=False)
    _recognitions: list[bool] = field(default_factory=list, repr=False)

    def findings(self, files: Sequence[bytes], time_left_s: Callable[[], float]) -> list[Finding | RetryLater]:
        """Return what each file shows or why it never will; ``RetryLater`` where it could not be read now.

        Files of the same bytes are read once, and no file is begun without the time to end it.
        """
        names = [hashlib.sha256(data).digest() for data in files]
        found: dict[bytes, Finding | RetryLater] = {}
        pictures: dict[bytes, Picture] = {}
        for name, data in zip(names, files, strict=True):
            known = self._known.get(name)
            self._recognitions.append(known is not None or name in found or name in pictures)
            if self._recognitions[-1]:
                found |= {name: known} if known else {}
                continue
            result = self._read(data, time_left_s)
            if isinstance(result, ImageRejected | RetryLater):
                found[name] = result
            else:
                pictures[name] = result
        found |= self._classified(pictures)
        for name in names:
            self._remember(name, found[name])
        return [found[name] for name in names]

    def forget_rejection(self, data: bytes) -> None:
        """Forget that this file was rejected, if it was, so that it is read once more."""
        name = hashlib.sha256(data).digest()
        if isinstance(self._known.get(name), ImageRejected):
            del self._known[name]

    def take_recognitions(self) -> list[bool]:
        """Return for each file since the last call whether its content was known, and forget that."""
        taken, self._recognitions = self._recognitions, []
        return taken

    def _read(self, data: bytes, time_left_s: Callable[[], float]) -> Picture | ImageRejected | RetryLater:
        if time_left_s() < LEAST_TIME_S:
            return NotBegun("the function's time is nearly over")
        try:
            return self.reader.read(data)
        except ImageRejected as error:
            return ImageRejected(error.reason, error.detail)  # without the traceback, which would keep the file alive
        except RetryLater as error:
            return error

    def _classified(self, pictures: Mapping[bytes, Picture]) -> dict[bytes, Shown]:
        if not pictures:
            return {}
        contract = self.classifier.card.input
        answers = self.classifier.classify(np.stack([model_input(picture, contract) for picture in pictures.values()]))
        return {
            name: Shown(
                class_scores=strongest(answer.scores),
                width_pixels=picture.width_pixels,
                height_pixels=picture.height_pixels,
                low_information=picture.low_information,
                vector=answer.vector,
                facts=picture.facts,
            )
            for (name, picture), answer in zip(pictures.items(), answers, strict=True)
        }

    def _remember(self, name: bytes, finding: Finding | RetryLater) -> None:
        if isinstance(finding, RetryLater):
            return
        self._known[name] = finding
        self._known.move_to_end(name)
        if len(self._known) > self.most:
            self._known.popitem(last=False)
