"""Ports: what the verbs need of the world. Each has an adapter in ``aws`` and a twin in ``memory``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from pipeline.errors import RejectReason
    from pipeline.images import BucketPrefix, Fetched, ImageRef, ListedImage
    from pipeline.messages import TagImage
    from pipeline.records import Record, RecordSummary, Rejection

Clock = Callable[[], datetime]
SEND_BATCH = 10  # the most entries Amazon SQS permits in one SendMessageBatch


class ImageStore(Protocol):
    """Where photos lie."""

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as it is now; ``Unchanged`` when it still has ``known_etag``; ``Gone`` when there is none.

        Raises:
            TooLarge: it is larger than the limit: nothing is downloaded, but its ETag and time are told.
            ImageRejected: it is not ours to read.
            RetryLater: the store was throttled, timed out or failed.
        """
        ...

    def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield every object of the place whose key is behind ``start_after``, in the order of their UTF-8 keys."""
        ...


class RecordTable(Protocol):
    """Where records rest: one per image."""

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record]:
        """Return the newest record of each image that has one. A write that ended before is always seen."""
        ...

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record as revision ``seen_revision + 1``, if the one at rest still is ``seen_revision`` (0: none).

        Raises:
            RevisionConflict: somebody else wrote since.
            RetryLater: the table was throttled, timed out or failed.
        """
        ...

    def scan(self) -> Iterator[Record]:
        """Yield every record once, in no order. Not a point in time: records written meanwhile may be either."""
        ...

    def summaries(self) -> Iterator[RecordSummary]:
        """Yield how each image ended, as ``scan`` would, but without the rest of its record. May lag behind ``put``."""
        ...

    def of_product(self, product: str) -> tuple[Record, ...]:
        """Return the records of one product's images, by image. May lag a moment behind ``put``."""
        ...

    def rejected(self, reason: RejectReason) -> Iterator[Rejection]:
        """Yield the images that are rejected for that reason, by image. May lag a moment behind ``put``."""
        ...


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue holds, about."""

    waiting: int
    in_flight: int


class MessageQueue(Protocol):
    """Where messages wait for the tagging function."""

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send up to ten messages in one call and return those the queue did not take, to be sent again.

        Raises:
            RetryLater: the whole call failed.
        """
        ...

    def depth(self) -> QueueDepth:
        """Return how many messages wait and how many are being worked on."""
        ...


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was read, and what tells this content from any other it may have had."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as a listing shows it; ``modified_at`` is the store's time, never this machine's."""

    name: str
    bytes: int
    version: str
    modified_at: datetime


class FileStore(Protocol):
    """Where an export lies: a folder, or a prefix of a bucket. Names are relative and use ``/``."""

    def now(self) -> datetime:
        """Return the time by the store's own clock, which also stamps ``modified_at``."""
        ...

    def write(self, name: str, source: Path) -> str:
        """Make the file ``name`` hold what ``source`` holds and return its version.

        A reader sees the old file or the new one, never half.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""
        ...

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and version, or None where there is none."""
        ...

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file if it still is of the version ``seen`` (None: there is none), and return whether it was."""
        ...

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        ...

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files whose names begin with the prefix, sorted by name."""
        ...

    def delete(self, names: Collection[str]) -> None:
        """Remove these files; one that is not there is no error."""
        ...
