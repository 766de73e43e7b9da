"""Classifications by content: the same file is read and classified once, under however many names."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import ImageRejected, NotBegun, RetryLater
from tagging_lambda.observe import ObservedPhoto, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagging_lambda.classify import Classifier
    from tagging_lambda.image.picture import Picture
    from tagging_lambda.image.reader import Reader

KNOWN_CONTENTS = 4096  # chosen by us: the class scores of each take about 2 KB
LEAST_TIME_S = (
    45.0  # what one image may need: 10 s for reading, three tries of 10 s at the table, and waits between them
)


ContentResult = ObservedPhoto | ImageRejected


@dataclass
class ClassificationCache:
    """Reads and classifies files, and remembers the results of the last ``most`` contents. Not thread-safe."""

    reader: Reader
    classifier: Classifier
    most: int = KNOWN_CONTENTS
    _known: OrderedDict[bytes, ContentResult] = field(default_factory=OrderedDict, repr=False)
    _recognitions: list[bool] = field(default_factory=list, repr=False)

    def classify(self, files: Sequence[bytes], time_left_s: Callable[[], float]) -> list[ContentResult | RetryLater]:
        """Return each file's classification or its rejection; ``RetryLater`` if it could not be read now.

        Files with the same bytes are read once, and no file is started without the time to finish it.
        """
        names = [hashlib.sha256(data).digest() for data in files]
        results: dict[bytes, ContentResult | RetryLater] = {}
        pictures: dict[bytes, Picture] = {}
        for name, data in zip(names, files, strict=True):
            known = self._known.get(name)
            self._recognitions.append(known is not None or name in results or name in pictures)
            if self._recognitions[-1]:
                results |= {name: known} if known else {}
                continue
            result = self._read(data, time_left_s)
            if isinstance(result, ImageRejected | RetryLater):
                results[name] = result
            else:
                pictures[name] = result
        results |= zip(pictures, observe([*pictures.values()], self.classifier), strict=True)
        for name in names:
            self._remember(name, results[name])
        return [results[name] for name in names]

    def forget_rejection(self, data: bytes) -> None:
        """Forget a rejection of this file, so that it is read again."""
        name = hashlib.sha256(data).digest()
        if isinstance(self._known.get(name), ImageRejected):
            del self._known[name]

    def take_recognitions(self) -> list[bool]:
        """Return whether the content of each file since the last call was known, and reset the list."""
        taken, self._recognitions = self._recognitions, []
        return taken

    def _read(self, data: bytes, time_left_s: Callable[[], float]) -> Picture | ImageRejected | RetryLater:
        if time_left_s() < LEAST_TIME_S:
            return NotBegun("the function's time is nearly over")
        try:
            return self.reader.read(data)
        except ImageRejected as error:
            return ImageRejected(
                error.reason, error.detail
            )  # without the traceback, which would keep the file in memory
        except RetryLater as error:
            return error

    def _remember(self, name: bytes, result: ContentResult | RetryLater) -> None:
        if isinstance(result, RetryLater):
            return
        self._known[name] = result
        self._known.move_to_end(name)
        if len(self._known) > self.most:
            self._known.popitem(last=False)
