"""Ratings: what people say of the keywords that a model found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Verdict(StrEnum):
    """What a person says of a keyword on an image."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"  # it fits, and the model did not say it


@dataclass(frozen=True, slots=True)
class Rating:
    """What a person says.

    Attributes:
        image: ``s3://bucket/key``, or ``sha256:`` and the digest of a photo that lies nowhere.
        keyword: its id, or for a missing one that the vocabulary lacks, the word.
    """

    image: str
    keyword: str
    verdict: Verdict
    model_version: str
    rated_at: datetime
    by: str = ""

    @property
    def part(self) -> str:
        """The rating's name among those of its image: of a person, a keyword and a model, the newest alone is kept."""
        return f"{self.model_version}#{self.keyword}#{self.by}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How often people said what of one keyword of one model."""

    model_version: str
    keyword: str
    right: int
    wrong: int
    missing: int

    @property
    def share_right(self) -> float | None:
        """How often the model was right when it said the keyword, in [0, 1]; None where nobody rated that."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None


def tallies(ratings: Iterable[Rating]) -> list[Tally]:
    """Return the sums for each model and keyword, those with the most wrong ones first."""
    counts: Counter[tuple[str, str, Verdict]] = Counter((r.model_version, r.keyword, r.verdict) for r in ratings)
    pairs = sorted({(model, keyword) for model, keyword, _ in counts})
    sums = [Tally(*pair, *(counts[*pair, verdict] for verdict in Verdict)) for pair in pairs]
    return sorted(sums, key=lambda tally: (tally.model_version, -tally.wrong, -tally.missing, tally.keyword))
