"""Ratings: what people say about the keywords that a model gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What a person says about a keyword on an image."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"  # it fits, but the model did not give it


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's verdict on one keyword of one image.

    Attributes:
        image: ``s3://bucket/key``, or ``sha256:`` and the digest of a photo that is not stored.
        keyword: its id, or the word itself if the vocabulary lacks it.
    """

    image: str
    keyword: str
    verdict: Verdict
    model_version: str
    rated_at: datetime
    by: str = ""

    @property
    def part(self) -> str:
        """The sort key among an image's ratings: only the newest for each person, keyword and model is kept."""
        return f"{self.model_version}#{self.keyword}#{self.by}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many verdicts of each kind people gave on one keyword of one model."""

    model_version: str
    keyword: str
    right: int
    wrong: int
    missing: int

    @property
    def share_right(self) -> float | None:
        """The share of ratings that call the model's keyword right, in [0, 1]; None if nobody rated it."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None


def tallies(ratings: Iterable[Rating]) -> list[Tally]:
    """Return a tally for each model and keyword; within a model, the most often wrong first."""
    counts: Counter[tuple[str, str, Verdict]] = Counter((r.model_version, r.keyword, r.verdict) for r in ratings)
    pairs = sorted({(model, keyword) for model, keyword, _ in counts})
    sums = [Tally(*pair, *(counts[*pair, verdict] for verdict in Verdict)) for pair in pairs]
    return sorted(sums, key=lambda tally: (tally.model_version, -tally.wrong, -tally.missing, tally.keyword))
