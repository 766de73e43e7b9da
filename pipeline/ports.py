"""Ports: what the verbs need from the outside. Each has an adapter in ``aws`` and a fake in ``memory``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.dead_letters import DeadLetter
    from pipeline.exported import ExportedImage
    from pipeline.images import BucketPrefix, Fetched, ImageRef, ListedImage
    from pipeline.messages import TagImage
    from pipeline.ratings import Rating
    from pipeline.records import Record, RecordSummary, Rejection
    from pipeline.reject_reasons import RejectReason
    from pipeline.unreadable import UnreadableItem
    from pipeline.watchers import Ticket, Waiting

Clock = Callable[[], datetime]
SEND_BATCH = 10  # the most entries Amazon SQS permits in one SendMessageBatch


class ImageStore(Protocol):
    """Where photos are stored."""

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as it is now; ``Unchanged`` when it still has ``known_etag``; ``Gone`` when there is none.

        Raises:
            TooLarge: it exceeds the limit: nothing is downloaded, but the error carries its ETag and time.
            ImageRejected: the role may not read it, or there is no such bucket.
            RetryLater: the store was throttled, timed out or failed.
        """
        ...

    def listing(self, location: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield every object below the prefix whose key follows ``start_after``, ordered by UTF-8 key."""
        ...

    def delete(self, image: ImageRef) -> None:
        """Remove the object; one that is not there is no error.

        Raises:
            RetryLater: the store was throttled, timed out or failed.
        """
        ...


class RecordTable(Protocol):
    """Where records are stored, one per image.

    An item that cannot be read is returned as an ``UnreadableItem``, so that it does not affect other records, and so
    that the types make every reader handle it.
    """

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return the newest record of each image that has one. A completed write is always visible."""
        ...

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record as revision ``seen_revision + 1``, if the stored one is still ``seen_revision`` (0: none).

        Raises:
            RevisionConflict: another writer changed the record since.
            RetryLater: the table was throttled, timed out or failed.
        """
        ...

    def scan(self, segment: int = 0, segments: int = 1) -> Iterator[Record | UnreadableItem]:
        """Yield every record once, in no order. One that is written meanwhile may be the old or the new one.

        With ``segments``, yield those of one segment, counted from 0; each record is in exactly one of them.
        """
        ...

    def summaries(self) -> Iterator[RecordSummary | UnreadableItem]:
        """Yield the summary of each record, which costs half of ``scan``. May lag behind ``put``."""
        ...

    def of_product(self, product: str) -> tuple[Record | UnreadableItem, ...]:
        """Return the records of one product's images, by image. May lag a moment behind ``put``."""
        ...

    def rejected(self, reason: RejectReason) -> Iterator[Rejection | UnreadableItem]:
        """Yield the images that are rejected for that reason, by image. May lag a moment behind ``put``."""
        ...


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Approximately how many messages a queue holds."""

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


class Deliveries(Protocol):
    """Returns unfinished deliveries to their queue, or sends them to its dead-letter queue."""

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Make these deliveries, by receipt, visible again after so many seconds.

        An expired receipt is no error: its message has been redelivered since.

        Raises:
            RetryLater: some waits could not be set; those messages become visible when the queue's own timeout ends.
        """
        ...

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Send a message with this body to the dead-letter queue, with the error and, if known, the run as attributes.

        The delivery itself remains: the caller must acknowledge it as well.

        Raises:
            RetryLater: the queue did not accept it.
        """
        ...


class DeadLetters(Protocol):
    """A dead-letter queue, and the queue that its messages came from."""

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return up to ten letters and hide them for ``HIDDEN_S``, or nothing if none is visible."""
        ...

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Make up to ten letters visible again at once.

        Raises:
            RetryLater: some could not be released; they become visible after ``HIDDEN_S``.
        """
        ...

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send up to ten letters to the queue they came from, delete those it accepted, and return those that remain.

        A letter that was sent but could not be deleted is among the latter: sending it once more does no harm.
        """
        ...

    def depth(self) -> QueueDepth:
        """Return how many letters are visible, and how many are hidden."""
        ...


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file's content, and the version that identifies it."""

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
    """Where files are stored: a folder, or a prefix of a bucket. Names are relative and use ``/``."""

    def now(self) -> datetime:
        """Return the time by the store's own clock, which also stamps ``modified_at``."""
        ...

    def write(self, name: str, source: Path) -> str:
        """Copy ``source`` to the file ``name`` and return its version.

        A reader sees the old file or the new one, never a part.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""
        ...

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and version, or None where there is none."""
        ...

    def download(self, name: str, target: Path) -> bool:
        """Make ``target`` hold what the file holds, whatever its size; return False where there is none."""
        ...

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file if its version is still ``seen`` (None: there is none), and return whether it was written."""
        ...

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        ...

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files whose names begin with the prefix, sorted by name."""
        ...

    def delete(self, names: Collection[str]) -> None:
        """Delete these files; missing ones are no error."""
        ...


class ExportedImages(Protocol):
    """The images of an export, a snapshot with the changes since."""

    @property
    def as_of(self) -> datetime:
        """The time up to which the export must contain every record; it may contain later ones too."""
        ...

    def below(self, location: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images below the prefix, ordered by UTF-8 key.

        Raises:
            BadExport: a file of it is missing or damaged.
        """
        ...

    def reopen(self) -> ExportedImages:
        """Return the export as it is now.

        Raises:
            BadExport: it can no longer be opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class UploadForm:
    """An upload form: S3 accepts exactly these fields, followed by the file as the last field."""

    url: str
    fields: Mapping[str, str]


class PhotoAddresses(Protocol):
    """Makes addresses of photos, without sending any request."""

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return the address at which the photo can be read."""
        ...

    def to_write(
        self, image: ImageRef, media_type: str, size_bytes: int, seconds: int, product: str | None = None
    ) -> UploadForm:
        """Return the form by which a photo of exactly this name, type, size and product can be uploaded."""
        ...


class Connections(Protocol):
    """Open WebSockets of browsers."""

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Send the message as JSON; return False if the connection is closed for good.

        Raises:
            RetryLater: it is unknown whether the message was received.
        """
        ...

    def close(self, connection: str) -> None:
        """Close the connection; one that is closed already is no error."""
        ...


class Watchers(Protocol):
    """Tickets, and the connections that wait for an image."""

    def issue(self, ticket: Ticket) -> None:
        """Make the ticket valid until it expires. Only a digest of the secret is kept."""
        ...

    def image_of(self, secret: str, at_time: datetime) -> ImageRef | None:
        """Return the image of the ticket with this secret, or None if no such ticket is still valid."""
        ...

    def watch(self, image: ImageRef, waiting: Waiting, at_time: datetime) -> None:
        """Register the connection as waiting for the image."""
        ...

    def waiting_for(self, image: ImageRef, at_time: datetime) -> Sequence[Waiting]:
        """Return the connections that wait for the image."""
        ...

    def forget(self, image: ImageRef, connection: str) -> None:
        """Remove the connection from those that wait for the image."""
        ...


class Ratings(Protocol):
    """Where ratings are stored."""

    def put(self, rating: Rating) -> None:
        """Store the rating, replacing the same person's earlier one of the same keyword and model."""
        ...

    def of_image(self, image: str) -> Iterator[Rating]:
        """Yield every rating of one image, in no order."""
        ...

    def scan(self) -> Iterator[Rating]:
        """Yield every rating, in no order."""
        ...


class Probe(Protocol):
    """Tries one message before a load sends many."""

    def check(self, message: TagImage) -> None:
        """Return if the tagging function can read the message's photo, whatever it shows.

        Raises:
            Denied: the function may not read the photo, or the caller may not call the function.
            DeployerError: the function itself fails.
        """
        ...
