"""Compares what was found with what is recorded: whether a record is there, and says what is true now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.batches import batched
from pipeline.errors import ImageRejected, TooLarge
from pipeline.images import FetchedImage, Gone, ImageRef, ListedImage, Unchanged
from pipeline.ordered_map import map_in_order
from pipeline.records import GoneImage, Observation, Record, RejectedImage, TaggedImage, UndoneImage
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from catalog_loader.candidates import Candidate
    from pipeline.ports import ImageStore, RecordTable

READ_BATCH = 100  # the most keys Amazon DynamoDB permits in one BatchGetItem
AT_ONCE = 4  # reads on their way at the same time; chosen by us: a listing comes no faster
OBJECTS_AT_ONCE = 16  # objects asked for at the same time; chosen by us: hides S3's 20 to 30 ms an answer
OBJECTS_AHEAD = 64  # of them asked for and not yet yielded; chosen by us: no thread waits for a slow one
AHEAD = 8  # reads taken and not yet yielded; chosen by us: bounds the memory to 800 records


class Standing(StrEnum):
    """How an image that was listed, or that a manifest names, stands in the table; an audit adds the dead letters."""

    TAGGED = "tagged"
    REJECTED = "rejected"
    MISSING = "missing"  # no record, or a tombstone
    STALE = "stale"  # the record is of another object, product, model or taxonomy
    UNREADABLE = "unreadable"  # the record cannot be read, so nothing is known of the image
    ORPHANED = "orphaned"  # recorded, and there is no object
    ABSENT = "absent"  # named by a manifest, and there is neither an object nor a record of one
    DEAD_LETTERED = "dead_lettered"  # missing, stale or orphaned, and a message that asks for it is dead


# What wants attention, and is named in reports.
GAPS = (
    Standing.DEAD_LETTERED,
    Standing.MISSING,
    Standing.STALE,
    Standing.ORPHANED,
    Standing.UNREADABLE,
    Standing.ABSENT,
)


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that are current; None where nobody said, and then every version is."""

    model: str | None = None
    taxonomy: str | None = None

    def differ_from(self, observation: Observation) -> bool:
        """Say whether the look was made with another model or taxonomy than the current ones."""
        return self.model not in {None, observation.model_version} or self.taxonomy not in {
            None,
            observation.taxonomy_version,
        }


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """An image that was candidate, its record, and how it stands."""

    candidate: Candidate
    standing: Standing
    record: Record | UnreadableItem | None

    @property
    def was_rejected(self) -> bool:
        """Whether the record says so, be it of this object or of another."""
        return isinstance(self.record, RejectedImage)


def compared(candidates: Iterable[Candidate], table: RecordTable, versions: Versions) -> Iterator[ComparedImage]:
    """Yield every image with its standing, in their order; the table is read by the hundred."""

    def look_up(batch: tuple[Candidate, ...]) -> list[ComparedImage]:
        records = table.get_many([candidate.image for candidate in batch])
        return [_compared(candidate, records.get(candidate.image), versions) for candidate in batch]

    for batch in map_in_order(look_up, batched(candidates, READ_BATCH), at_once=AT_ONCE, ahead=AHEAD):
        yield from batch


# Asked image by image, since listing the buckets could cost far more than a manifest holds (DECISIONS.md, 101).
def with_objects(
    compared_images: Iterable[ComparedImage],
    images: ImageStore,
    versions: Versions,
    only: Collection[Standing] = frozenset(Standing),
) -> Iterator[ComparedImage]:
    """Yield the images with their standing against the objects themselves, which no listing told, or an old one.

    Each that stood as ``only`` says costs one conditional GetObject, which downloads nothing.
    """

    def look_up(image: ComparedImage) -> ComparedImage:
        return _with_object(image, images, versions) if image.standing in only else image

    yield from map_in_order(look_up, compared_images, at_once=OBJECTS_AT_ONCE, ahead=OBJECTS_AHEAD)


def is_gone(record: Record, images: ImageStore) -> bool:
    """Ask the bucket itself whether the record's object is there. Nothing is downloaded."""
    return isinstance(_look_at(record.observation.image, record.observation.etag, images), Gone)


def _with_object(image: ComparedImage, images: ImageStore, versions: Versions) -> ComparedImage:
    if isinstance(image.record, UnreadableItem):
        return image
    known_etag = image.record.observation.etag if image.record else None
    match _look_at(image.candidate.image, known_etag, images):
        case Unchanged():
            return image
        case Gone():
            is_recorded = isinstance(image.record, TaggedImage | RejectedImage)
            return replace(image, standing=Standing.ORPHANED if is_recorded else Standing.ABSENT)
        case listed:
            candidate = replace(image.candidate, listed=listed)
            return ComparedImage(candidate, standing(candidate, image.record, versions), image.record)


def _look_at(image: ImageRef, known_etag: str | None, images: ImageStore) -> ListedImage | Unchanged | Gone:
    """Return what a listing would say of the object; one that may not be read counts as unchanged."""
    try:
        fetched = images.fetch(image, known_etag, limit_bytes=0)
    except TooLarge as large:
        return ListedImage(image, large.etag, 0, large.modified_at)
    except ImageRejected as rejected:
        return Gone() if rejected.reason is RejectReason.MISSING else Unchanged()
    if isinstance(fetched, FetchedImage):  # an empty object is not above the limit
        return ListedImage(image, fetched.etag, 0, fetched.modified_at)
    return fetched


def _compared(candidate: Candidate, record: Record | UnreadableItem | None, versions: Versions) -> ComparedImage:
    return ComparedImage(candidate, standing(candidate, record, versions), record)


def standing(candidate: Candidate, record: Record | UnreadableItem | None, versions: Versions) -> Standing:
    """Return how the image stands. Whether an image is rejected depends on its object alone, not on versions."""
    if isinstance(record, UnreadableItem):
        return Standing.UNREADABLE
    if record is None or isinstance(record, GoneImage | UndoneImage):
        return Standing.MISSING
    if _is_of_another_object(candidate, record.observation) or candidate.product not in {
        None,
        record.observation.product,
    }:
        return Standing.STALE
    if isinstance(record, RejectedImage):
        return Standing.REJECTED
    return Standing.STALE if versions.differ_from(record.observation) else Standing.TAGGED


def _is_of_another_object(candidate: Candidate, observation: Observation) -> bool:
    listed = candidate.listed
    if listed is None or observation.etag == listed.etag:
        return False
    if observation.etag is None:  # refused before it was read: all that is known is when
        return listed.modified_at > observation.observed_at
    # A record of a later object than the listing's is no gap: the object was replaced since it was listed.
    return observation.object_time is None or observation.object_time <= listed.modified_at
