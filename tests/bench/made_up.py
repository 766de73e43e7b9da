"""Catalogues of any size, made up of what the real model said of real photos."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.records import Observation, Record, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20260101
MADE_SHARE = 16  # a bench makes one record in so many up once more, to subtract what that takes
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
REAL = Path(__file__).with_name("real_keywords.txt")  # the keywords of one real photo a line, with their scores
OF_THE_PRODUCT = 0.7  # the share of photos that show what their product is
NOISE = 0.02  # by which a score differs from the real one, so that ties are as rare as they are


class MadeUpTable:
    """A table whose records are made up while it is scanned, so that they take no memory.

    Each photo has the keywords of a real one, some real ones far more often than others, as in a shop. Seven photos of
    a product in ten show what the product is, the others anything. One photo in fifty is rejected.
    """

    def __init__(self, products: int, photos_of_each: int, vocabulary: Vocabulary) -> None:
        """Make up the records of that many products."""
        self._rows, self._photos_of_each, self._vocabulary = products * photos_of_each, photos_of_each, vocabulary
        lines = REAL.read_text(encoding="utf-8").splitlines()
        self._photos = [[(word.split(":")[0], float(word.split(":")[1])) for word in line.split()] for line in lines]
        random.Random(SEED).shuffle(self._photos)

    def scan(self, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Yield the records of a segment, in no order of their names."""
        chance = random.Random(SEED + segment)
        for at in range(segment, self._rows, segments):
            yield self.record(at, chance)

    def record(self, at: int, chance: random.Random, run_id: str = "20260101T000000Z-bench") -> Record:
        """Return a record in the place of the one that was scanned so-many-th."""
        number = at * 2_654_435_761 % self._rows  # a prime: the first records are from everywhere
        observation = Observation(
            image=ImageRef("shop", f"catalogue/{number:09d}.jpg"),
            product=f"product-{number // self._photos_of_each}",
            run_id=run_id,
            observed_at=EPOCH + timedelta(milliseconds=10 * at),
            etag=f'"{chance.getrandbits(128):032x}"',
            object_time=EPOCH,
            model_version="0123456789ab",
            taxonomy_version=self._vocabulary.version,
        )
        if at % 50 == 0:
            return RejectedImage(observation, RejectReason.CORRUPT, "it ends too early", revision=1)
        return TaggedImage(observation, self._tags(chance, number // self._photos_of_each), (), 1200, 1600, revision=1)

    def words(self, chance: random.Random) -> tuple[str, str]:
        """Return two keywords to ask for together, each as often as it is on photos."""
        return chance.choice(self._photo(chance))[0], chance.choice(self._photo(chance))[0]

    def _photo(self, chance: random.Random, product: int | None = None) -> list[tuple[str, float]]:
        shown = chance.random() if product is None else product * 2_654_435_761 % 2**32 / 2**32
        return self._photos[int(len(self._photos) * shown**2.5)]

    def _tags(self, chance: random.Random, product: int) -> tuple[KeywordTag, ...]:
        photo = self._photo(chance, product if chance.random() < OF_THE_PRODUCT else None)
        return tuple(
            KeywordTag(keyword_id, round(min(1.0, max(0.0, score + chance.uniform(-NOISE, NOISE))), 4))
            for keyword_id, score in photo
        )
