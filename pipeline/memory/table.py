"""An in-memory fake of the record table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.errors import RevisionConflict
from pipeline.records import GoneImage, RecordSummary, RejectedImage, Rejection, UndoneImage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from pipeline.errors import RejectReason
    from pipeline.images import ImageRef
    from pipeline.records import Record


@dataclass
class MemoryTable:
    """Records in memory. ``writes`` counts those that were taken, ``reads`` the calls of ``get_many``."""

    records: dict[ImageRef, Record] = field(default_factory=dict)
    writes: int = 0
    reads: int = 0
    _lock: Lock = field(default_factory=Lock)

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record]:
        """Return the records as ``RecordTable`` promises."""
        with self._lock:
            self.reads += 1
            return {image: self.records[image] for image in images if image in self.records}

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record as ``RecordTable`` promises."""
        image = record.observation.image
        with self._lock:
            at_rest = self.records.get(image)
            if (at_rest.revision if at_rest else 0) != seen_revision:
                raise RevisionConflict(f"{image} was written by another look since it was read")
            self.records[image] = replace(record, revision=seen_revision + 1)
            self.writes += 1

    def scan(self) -> Iterator[Record]:
        """Yield the records as ``RecordTable`` promises."""
        yield from list(self.records.values())

    def summaries(self) -> Iterator[RecordSummary]:
        """Yield the ends as ``RecordTable`` promises."""
        yield from [RecordSummary.of(record) for record in self.records.values()]

    def of_product(self, product: str) -> tuple[Record, ...]:
        """Return the records as ``RecordTable`` promises."""
        found = (record for record in self.records.values() if record.observation.product == product)
        return tuple(sorted(found, key=lambda record: str(record.observation.image)))

    def rejected(self, reason: RejectReason) -> Iterator[Rejection]:
        """Yield the rejections as ``RecordTable`` promises."""
        records = [each for each in self.records.values() if isinstance(each, RejectedImage) and each.reason is reason]
        for record in sorted(records, key=lambda record: str(record.observation.image)):
            yield Rejection(record.observation.image, record.observation.product, reason, record.detail)

    def expire(self, now: datetime) -> None:
        """Forget the tombstones whose time has come, as DynamoDB does by itself."""
        for image, record in list(self.records.items()):
            expires_at = record.expires_at if isinstance(record, GoneImage | UndoneImage) else None
            if expires_at and expires_at <= now:
                del self.records[image]
