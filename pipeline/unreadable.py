"""Items of the table that cannot be read as records, and how a reader of many goes on without them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.images import ImageRef
    from pipeline.records import Record

T = TypeVar("T")
EXAMPLES = 10  # unreadable items that a report names; chosen by us: enough to see what they have in common


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item that this version cannot read: damaged, edited by hand, or written by a later version.

    It is a value, not an exception, so that it does not end a reader of many (DECISIONS.md, 50).

    Attributes:
        key: the item's partition key, by which ``aws dynamodb get-item`` finds it.
        problem: what is wrong with it, in our own words.
        image: the image that the key names; None where the key is a digest or no image's name.
    """

    key: str
    problem: str
    image: ImageRef | None = None

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}"


@dataclass
class UnreadableItems:
    """Counts the unreadable items among what was read, and keeps the first ones as examples."""

    count: int = 0
    examples: list[UnreadableItem] = field(default_factory=list)

    def add(self, item: UnreadableItem) -> None:
        """Count one item."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(item)

    def document(self) -> dict[str, int | list[str]]:
        """Return the count and the examples as every report names them."""
        return {"unreadable_records": self.count, "first_unreadable_records": [str(item) for item in self.examples]}

    def exclude_from(self, items: Iterable[T | UnreadableItem]) -> Iterator[T]:
        """Yield what could be read, and count the rest."""
        for item in items:
            if isinstance(item, UnreadableItem):
                self.add(item)
            else:
                yield item


def readable(records: Iterable[Record | UnreadableItem]) -> list[Record]:
    """Return what could be read of a few records; ``audit`` and ``status`` report the rest."""
    return [record for record in records if not isinstance(record, UnreadableItem)]
