"""An in-memory fake of the record table."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from zlib import crc32

from pipeline.errors import RevisionConflict
from pipeline.images import ImageRef
from pipeline.records import GoneImage, Record, RecordSummary, RejectedImage, Rejection, UndoneImage
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem


@dataclass
class MemoryTable:
    """Records in memory. ``writes`` counts those that succeeded, ``reads`` the calls of ``get_many``.

    An image in ``unreadable`` yields that item instead of its record.
    """

    records: dict[ImageRef, Record] = field(default_factory=dict)
    unreadable: dict[ImageRef, UnreadableItem] = field(default_factory=dict)
    writes: int = 0
    reads: int = 0
    _lock: Lock = field(default_factory=Lock)

    def damage(self, image: ImageRef, problem: str = "the attribute 'status' is missing") -> None:
        """Make the image's item unreadable."""
        self.unreadable[image] = UnreadableItem(str(image), problem, image)

    def _items(self) -> dict[ImageRef, Record | UnreadableItem]:
        return {**self.records, **self.unreadable}

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return the records as ``RecordTable`` promises."""
        with self._lock:
            self.reads += 1
            items = self._items()
            return {image: items[image] for image in images if image in items}

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record as ``RecordTable`` promises."""
        image = record.observation.image
        with self._lock:
            stored = self.records.get(image)
            if image in self.unreadable or (stored.revision if stored else 0) != seen_revision:
                raise RevisionConflict(f"{image} was written since it was read")
            self.records[image] = replace(record, revision=seen_revision + 1)
            self.writes += 1

    def scan(self, segment: int = 0, segments: int = 1) -> Iterator[Record | UnreadableItem]:
        """Yield the records as ``RecordTable`` promises."""
        for image, item in self._items().items():
            if crc32(str(image).encode()) % segments == segment:  # as DynamoDB: by a hash of the key
                yield item

    def summaries(self) -> Iterator[RecordSummary | UnreadableItem]:
        """Yield the summaries as ``RecordTable`` promises."""
        for item in self._items().values():
            yield item if isinstance(item, UnreadableItem) else RecordSummary.of(item)

    def of_product(self, product: str) -> tuple[Record | UnreadableItem, ...]:
        """Return the records as ``RecordTable`` promises."""
        images = [image for image, record in self.records.items() if record.observation.product == product]
        items = self._items()
        return tuple(items[image] for image in sorted(images, key=str))

    def rejected(self, reason: RejectReason) -> Iterator[Rejection | UnreadableItem]:
        """Yield the rejections as ``RecordTable`` promises."""
        for image, record in sorted(self.records.items(), key=lambda pair: str(pair[0])):
            if isinstance(record, RejectedImage) and record.reason is reason:
                yield self.unreadable.get(image) or Rejection(image, record.observation.product, reason, record.detail)

    def expire(self, at_time: datetime) -> None:
        """Remove the expired tombstones, as DynamoDB does by itself."""
        for image, record in list(self.records.items()):
            expires_at = record.expires_at if isinstance(record, GoneImage | UndoneImage) else None
            if expires_at and expires_at <= at_time:
                del self.records[image]
