"""Ports: what the verbs need of the world. Each has an adapter in ``aws`` and a fake in ``memory``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.dead_letters import DeadLetter
    from pipeline.errors import RejectReason
    from pipeline.exported import ExportedImage
    from pipeline.images import BucketPrefix, Fetched, ImageRef, ListedImage
    from pipeline.messages import TagImage
    from pipeline.photo_addresses import UploadForm
    from pipeline.ratings import Rating
    from pipeline.records import Record, RecordSummary, Rejection
    from pipeline.unreadable import UnreadableItem
    from pipeline.watchers import Ticket, Waiting

Clock = Callable[[], datetime]
SEND_BATCH = 10  # the most entries Amazon SQS permits in one SendMessageBatch


class ImageStore(Protocol):
    """Where photos lie."""

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as it is now; ``Unchanged`` when it still has ``known_etag``; ``Gone`` when there is none.

        Raises:
            TooLarge: it is larger than the limit: nothing is downloaded, but its ETag and time are told.
            ImageRejected: the role may not read it, or there is no such bucket.
            RetryLater: the store was throttled, timed out or failed.
        """
        ...

    def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield every object of the place whose key follows ``start_after``, in the order of their UTF-8 keys."""
        ...


class RecordTable(Protocol):
    """Where records rest: one per image.

    An item that cannot be read is an ``UnreadableItem`` among the answers, so that it costs no other record anything,
    and so that no reader can forget it: its type says that it may come.
    """

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return the newest record of each image that has one. A write that ended before is always seen."""
        ...

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record as revision ``seen_revision + 1``, if the one at rest still is ``seen_revision`` (0: none).

        Raises:
            RevisionConflict: somebody else wrote since.
            RetryLater: the table was throttled, timed out or failed.
        """
        ...

    def scan(self) -> Iterator[Record | UnreadableItem]:
        """Yield every record once, in no order. Not a point in time: records written meanwhile may be either."""
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


class Deliveries(Protocol):
    """The way back to one queue, and to its dead-letter queue, for deliveries that could not be finished."""

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Let these deliveries, by their receipts, be seen again after so many seconds from now.

        One whose receipt is no longer good is no error: its message was delivered again since.

        Raises:
            RetryLater: some waits could not be set; those messages are seen again when the queue's own time is over.
        """
        ...

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Put a message with this body among the dead letters, with the error beside it, and the run where known.

        The delivery itself stays: whoever buries it must acknowledge it as well.

        Raises:
            RetryLater: it was not taken.
        """
        ...


class DeadLetters(Protocol):
    """A dead-letter queue, and the queue that its messages came from."""

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return up to ten letters and hide them for ``HIDDEN_S``, or nothing where none can be seen."""
        ...

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Let up to ten letters be seen again at once.

        Raises:
            RetryLater: some could not be released; they are seen again when ``HIDDEN_S`` is over.
        """
        ...

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send up to ten letters to the queue they came from, delete what it took, and return those that remain here.

        A letter that was sent but could not be deleted is among the latter: sending it once more does no harm.
        """
        ...

    def depth(self) -> QueueDepth:
        """Return how many letters rest here, and how many are hidden."""
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
    """Where files lie, an export's for example: a folder, or a prefix of a bucket. Names are relative and use ``/``."""

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

    def download(self, name: str, target: Path) -> bool:
        """Make ``target`` hold what the file holds, whatever its size; return False where there is none."""
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


class ExportedImages(Protocol):
    """The images of an export, a snapshot with the changes since."""

    @property
    def as_of(self) -> datetime:
        """Up to when the export must hold every record that was written; it may hold later ones too."""
        ...

    def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images of the place, in the order of their UTF-8 keys.

        Raises:
            BadExport: a file of it is missing or damaged.
        """
        ...

    def reopen(self) -> ExportedImages:
        """Return the export as it is now.

        Raises:
            BadExport: it cannot be opened any more.
        """
        ...


class PhotoAddresses(Protocol):
    """Makes addresses. Nothing is asked of anybody."""

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return where the photo can be read."""
        ...

    def to_write(self, image: ImageRef, media_type: str, size_bytes: int, seconds: int) -> UploadForm:
        """Return where a photo of exactly this name, type and size can be put."""
        ...


class Connections(Protocol):
    """Open WebSockets of browsers."""

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Send the message as JSON and return whether it was received: False means that it is closed for good.

        Raises:
            RetryLater: it is not known.
        """
        ...

    def close(self, connection: str) -> None:
        """Close the connection; one that is closed already is no error."""
        ...


class Watchers(Protocol):
    """Who watches for what."""

    def issue(self, ticket: Ticket) -> None:
        """Let the ticket be good until it expires. Only a digest of the secret is kept."""
        ...

    def image_of(self, secret: str, at_time: datetime) -> ImageRef | None:
        """Return the image that the ticket with this secret is for; None where there is none that is still good."""
        ...

    def watch(self, image: ImageRef, waiting: Waiting, at_time: datetime) -> None:
        """Let the connection be among those that wait for the image."""
        ...

    def waiting_for(self, image: ImageRef, at_time: datetime) -> Sequence[Waiting]:
        """Return the connections that wait for the image."""
        ...

    def forget(self, image: ImageRef, connection: str) -> None:
        """Let the connection wait for the image no more."""
        ...


class Ratings(Protocol):
    """Where ratings rest."""

    def put(self, rating: Rating) -> None:
        """Keep the rating instead of what the same person said of the same keyword of the same model before."""
        ...

    def of_image(self, image: str) -> Iterator[Rating]:
        """Yield every rating of one image, in no order."""
        ...

    def scan(self) -> Iterator[Rating]:
        """Yield every rating, in no order."""
        ...


class Probe(Protocol):
    """Tries one message before many are sent."""

    def check(self, message: TagImage) -> None:
        """Return if the tagging function reads the message's photo, whatever it finds in it.

        Raises:
            Denied: it may not read the photo, or we may not call it.
            DeployerError: it fails as a whole.
        """
        ...
