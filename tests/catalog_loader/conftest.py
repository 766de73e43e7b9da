"""A shop on twins: photos, records, queues and dead letters, as the loader's commands find them connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from catalog_loader.connect import BACKFILL, UPLOADS, Connected
from catalog_loader.status import WatchedQueue
from pipeline.images import ImageRef
from pipeline.memory.dead_letters import MemoryDeadLetters
from pipeline.memory.files import MemoryFiles
from pipeline.memory.images import MemoryImages
from pipeline.memory.probe import MemoryProbe
from pipeline.memory.queue import MemoryQueue
from pipeline.memory.table import MemoryTable
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.records import GoneImage, Observation, Record, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason

MODEL, TAXONOMY = "model-1", "taxonomy-1"
PHOTOGRAPHED_AT = datetime(2026, 1, 1, tzinfo=UTC)
LOOKED_AT = datetime(2026, 1, 2, tzinfo=UTC)


def shop(key: str) -> ImageRef:
    """Return an image of the one shop there is."""
    return ImageRef("shop", key)


@dataclass
class Twins:
    """Everything the commands work on, in memory."""

    images: MemoryImages = field(default_factory=MemoryImages)
    table: MemoryTable = field(default_factory=MemoryTable)
    backfill: MemoryQueue = field(default_factory=MemoryQueue)
    uploads: MemoryQueue = field(default_factory=MemoryQueue)
    dead_backfill: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    dead_uploads: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    stream_failures: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    probe: MemoryProbe = field(default_factory=MemoryProbe)
    causes: tuple[str, ...] = ()
    oldest_s: float | None = 90.0
    product_pattern: str = DEFAULT_PRODUCT_PATTERN
    files: dict[str, MemoryFiles] = field(default_factory=dict)

    def connect(self) -> Connected:
        """Return the twins as the commands find them connected."""
        queues = {UPLOADS: self.uploads, BACKFILL: self.backfill}
        dead_letters = {UPLOADS: self.dead_uploads, BACKFILL: self.dead_backfill}
        return Connected(
            self.images,
            self.table,
            queues,
            dead_letters,
            self.stream_failures,
            tuple(
                WatchedQueue(name, queue, dead_letters[name], lambda: self.oldest_s) for name, queue in queues.items()
            ),
            lambda: self.causes,
            "shop",
            lambda prefix: self.files.setdefault(str(prefix), MemoryFiles()),
            self.probe,
            lambda: ProductPattern.parse(self.product_pattern),
        )

    def put(self, *keys: str, data: bytes = b"photo", at: datetime = PHOTOGRAPHED_AT) -> None:
        """Put photos into the bucket."""
        for key in keys:
            self.images.put(shop(key), data, at)

    def observation(self, key: str, **changes: object) -> Observation:
        """Return a look at the photo as it is, or of one that is not there."""
        photo = self.images.objects.get(shop(key))
        facts = {
            "image": shop(key),
            "product": "product",
            "run_id": "run-0",
            "observed_at": LOOKED_AT,
            "etag": photo.etag if photo else None,
            "object_time": photo.modified_at if photo else None,
            "model_version": MODEL,
            "taxonomy_version": TAXONOMY,
        }
        return Observation(**(facts | changes))

    def record(self, record: Record) -> None:
        """Put a record into the table, over any that is there."""
        seen = self.table.get_many([record.observation.image]).get(record.observation.image)
        self.table.put(record, seen.revision if seen else 0)

    def tag(self, *keys: str, **changes: object) -> None:
        """Record photos as tagged, as they are now."""
        for key in keys:
            self.record(TaggedImage(self.observation(key, **changes), (), (), 100, 100))

    def reject(self, *keys: str, reason: RejectReason = RejectReason.CORRUPT, **changes: object) -> None:
        """Record photos as rejected, as they are now."""
        for key in keys:
            self.record(RejectedImage(self.observation(key, **changes), reason, "because"))

    def bury(self, *keys: str, **changes: object) -> None:
        """Record photos as gone."""
        for key in keys:
            self.record(GoneImage(self.observation(key, **changes)))

    @property
    def sent(self) -> list[str]:
        """The keys that were sent to the backfill queue, sorted."""
        return sorted(message.image.key for message in self.backfill.messages)


@pytest.fixture
def twins() -> Twins:
    """An empty shop."""
    return Twins()


@pytest.fixture
def later() -> datetime:
    """A time after every look."""
    return LOOKED_AT + timedelta(days=1)
