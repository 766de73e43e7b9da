"""Ratings: what people say of the keywords that a model found, and where that rests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.aws.clients import client
from pipeline.aws.errors import translated
from pipeline.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

IMAGE, PART = "image", "part"  # the keys of the table: a person's newest word on a keyword of a model is the one kept


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


class Ratings(Protocol):
    """Where ratings rest."""

    def put(self, rating: Rating) -> None:
        """Keep the rating instead of what the same person said of the same keyword of the same model before."""
        ...

    def scan(self) -> Iterator[Rating]:
        """Yield every rating, in no order."""
        ...


@dataclass(frozen=True)
class DynamoRatings:
    """Ratings in DynamoDB, as ``Ratings`` promises. An item that is no rating is left out, and told by ``warn``."""

    dynamodb: Any
    table_name: str
    warn: Callable[[str], None] = print

    def put(self, rating: Rating) -> None:
        """Put the rating."""
        texts = {
            IMAGE: rating.image,
            PART: _part(rating),
            "keyword": rating.keyword,
            "verdict": str(rating.verdict),
            "model_version": rating.model_version,
            "rated_at": rating.rated_at.isoformat(),
        }
        if rating.by:
            texts["by"] = rating.by
        item = {name: {"S": text} for name, text in texts.items()}
        with translated(self.table_name):
            self.dynamodb.put_item(TableName=self.table_name, Item=item)

    def scan(self) -> Iterator[Rating]:
        """Scan the table."""
        pages = self.dynamodb.get_paginator("scan")
        with translated(self.table_name):
            for page in pages.paginate(TableName=self.table_name):
                for item in page["Items"]:
                    yield from self._read(item)

    def _read(self, item: dict[str, Any]) -> Iterator[Rating]:
        try:
            rating = _rating({name: value["S"] for name, value in item.items()})
        except (KeyError, ValueError) as error:
            image, part = (item[name]["S"] for name in (IMAGE, PART))
            self.warn(f"{self.table_name}: the item {image!r}, {part!r} is no rating and left out ({error!r})")
            return
        yield rating


def ratings_of_stack(warn: Callable[[str], None]) -> DynamoRatings:
    """Return the ratings of the stack that is deployed. Items that are no ratings are told by ``warn``.

    Raises:
        NoStack: none is.
    """
    stack = find_stack()
    return DynamoRatings(client("dynamodb", stack.endpoint_url), stack.ratings_table_name, warn)


@dataclass
class MemoryRatings:
    """Ratings in memory."""

    kept: dict[tuple[str, str], Rating] = field(default_factory=dict)

    def put(self, rating: Rating) -> None:
        """Keep the rating."""
        self.kept[rating.image, _part(rating)] = rating

    def scan(self) -> Iterator[Rating]:
        """Yield the ratings."""
        yield from self.kept.values()


def _part(rating: Rating) -> str:
    return f"{rating.model_version}#{rating.keyword}#{rating.by}"


def _rating(texts: dict[str, str]) -> Rating:
    return Rating(
        image=texts[IMAGE],
        keyword=texts["keyword"],
        verdict=Verdict(texts["verdict"]),
        model_version=texts["model_version"],
        rated_at=datetime.fromisoformat(texts["rated_at"]),
        by=texts.get("by", ""),
    )
