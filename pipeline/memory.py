"""Twins: every port in memory, true to the real one, for tests and for trying things out."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.errors import StaleLook, TooLarge
from pipeline.images import BucketPrefix, Fetched, FetchedImage, Gone, ImageRef, ListedImage, Unchanged
from pipeline.ports import SEND_BATCH, FileVersion, QueueDepth
from pipeline.records import GoneImage, RecordedEnd, RejectedImage, Rejection, UndoneImage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from pipeline.errors import RejectReason
    from pipeline.messages import TagImage
    from pipeline.records import Record


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


@dataclass
class MemoryImages:
    """Photos in memory. ``fetches`` counts the calls, ``downloads`` those that carried a body."""

    objects: dict[ImageRef, FetchedImage] = field(default_factory=dict)
    fetches: int = 0
    downloads: int = 0
    _lock: Lock = field(default_factory=Lock)

    def put(self, image: ImageRef, data: bytes, modified_at: datetime | None = None) -> str:
        """Store the object and return its ETag."""
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self.objects[image] = FetchedImage(data, etag, modified_at or utc_now())
        return etag

    def delete(self, image: ImageRef) -> None:
        """Remove the object; one that is not there is no error."""
        self.objects.pop(image, None)

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as ``ImageStore`` promises."""
        with self._lock:
            self.fetches += 1
            found = self.objects.get(image)
            if found is None:
                return Gone()
            if found.etag == known_etag:
                return Unchanged()
            if len(found.data) > limit_bytes:
                detail = f"{image} has {len(found.data):,} bytes; the limit is {limit_bytes:,}"
                raise TooLarge(detail, found.etag, found.modified_at)
            self.downloads += 1
            return found

    def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield the objects as ``ImageStore`` promises."""
        for image in sorted(self.objects, key=lambda ref: ref.key.encode()):
            inside = image.bucket == place.bucket and image.key.startswith(place.prefix)
            if inside and image.key.encode() > start_after.encode():
                found = self.objects[image]
                yield ListedImage(image, found.etag, len(found.data), found.modified_at)


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
        image = record.look.image
        with self._lock:
            at_rest = self.records.get(image)
            if (at_rest.revision if at_rest else 0) != seen_revision:
                raise StaleLook(f"{image} was written by another look since it was read")
            self.records[image] = replace(record, revision=seen_revision + 1)
            self.writes += 1

    def scan(self) -> Iterator[Record]:
        """Yield the records as ``RecordTable`` promises."""
        yield from list(self.records.values())

    def ends(self) -> Iterator[RecordedEnd]:
        """Yield the ends as ``RecordTable`` promises."""
        yield from [RecordedEnd.of(record) for record in self.records.values()]

    def of_product(self, product: str) -> tuple[Record, ...]:
        """Return the records as ``RecordTable`` promises."""
        found = (record for record in self.records.values() if record.look.product == product)
        return tuple(sorted(found, key=lambda record: str(record.look.image)))

    def rejected(self, reason: RejectReason) -> Iterator[Rejection]:
        """Yield the rejections as ``RecordTable`` promises."""
        records = [each for each in self.records.values() if isinstance(each, RejectedImage) and each.reason is reason]
        for record in sorted(records, key=lambda record: str(record.look.image)):
            yield Rejection(record.look.image, record.look.product, reason, record.detail)

    def expire(self, now: datetime) -> None:
        """Forget the tombstones whose time has come, as DynamoDB does by itself."""
        for image, record in list(self.records.items()):
            expires_at = record.expires_at if isinstance(record, GoneImage | UndoneImage) else None
            if expires_at and expires_at <= now:
                del self.records[image]


@dataclass
class MemoryQueue:
    """Messages in memory. ``calls`` counts the sends; ``refuse`` names images whose first send is not taken."""

    messages: deque[TagImage] = field(default_factory=deque)
    calls: int = 0
    refuse: set[ImageRef] = field(default_factory=set)

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages as ``MessageQueue`` promises."""
        if not 1 <= len(messages) <= SEND_BATCH:
            raise ValueError(f"one call takes 1 to {SEND_BATCH} messages, not {len(messages)}")
        self.calls += 1
        refused = tuple(message for message in messages if message.image in self.refuse)
        self.refuse -= {message.image for message in refused}
        self.messages.extend(message for message in messages if message not in refused)
        return refused

    def depth(self) -> QueueDepth:
        """Return the count as ``MessageQueue`` promises."""
        return QueueDepth(waiting=len(self.messages), in_flight=0)


@dataclass
class MemoryFiles:
    """An export in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def write(self, name: str, source: Path) -> None:
        """Write the file as ``FileStore`` promises."""
        self.files[name] = source.read_bytes()

    def read(self, name: str) -> bytes | None:
        """Return the file as ``FileStore`` promises."""
        return self.files.get(name)

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file as ``FileStore`` promises."""
        data = self.read(name)
        return None if data is None else FileVersion(data, hashlib.sha256(data).hexdigest())

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file as ``FileStore`` promises."""
        with self._lock:
            found = self.read_version(name)
            if (found.version if found else None) != seen:
                return False
            self.files[name] = data
            return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names as ``FileStore`` promises."""
        yield from sorted(name for name in self.files if name.startswith(prefix))

    def delete(self, names: Collection[str]) -> None:
        """Remove the files as ``FileStore`` promises."""
        for name in names:
            self.files.pop(name, None)
