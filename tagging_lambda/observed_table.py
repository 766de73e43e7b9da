"""A table that logs each rejected photo: its name, its run and the reason, and nothing of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.records import Record, RecordSummary, RejectedImage, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipeline.errors import RejectReason
    from pipeline.images import ImageRef
    from pipeline.ports import RecordTable
    from pipeline.unreadable import UnreadableItem


@dataclass(frozen=True)
class ObservedTable:
    """A ``RecordTable`` in front of another. ``log`` writes a line."""

    table: RecordTable
    log: Callable[..., None]

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return what the table returns."""
        return self.table.get_many(images)

    def put(self, record: Record, seen_revision: int) -> None:
        """Put the record into the table, and log it if it is a rejection."""
        self.table.put(record, seen_revision)
        if isinstance(record, RejectedImage):
            observation = record.observation
            self.log("rejected", image=str(observation.image), run=observation.run_id, reason=str(record.reason))

    def scan(self, segment: int = 0, segments: int = 1) -> Iterator[Record | UnreadableItem]:
        """Yield what the table yields."""
        return self.table.scan(segment, segments)

    def summaries(self) -> Iterator[RecordSummary | UnreadableItem]:
        """Yield what the table yields."""
        return self.table.summaries()

    def rejected(self, reason: RejectReason) -> Iterator[Rejection | UnreadableItem]:
        """Yield what the table yields."""
        return self.table.rejected(reason)

    def of_product(self, product: str) -> tuple[Record | UnreadableItem, ...]:
        """Return what the table returns."""
        return self.table.of_product(product)
