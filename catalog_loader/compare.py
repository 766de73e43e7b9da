"""Compares what was found with what is recorded: whether a record is there, and says what is true now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from catalog_loader.ordered_map import map_in_order
from pipeline.records import GoneImage, RejectedImage, UndoneImage
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog_loader.candidates import Candidate
    from pipeline.ports import RecordTable
    from pipeline.records import Observation, Record

READ_BATCH = 100  # the most keys Amazon DynamoDB permits in one BatchGetItem
AT_ONCE = 4  # reads on their way at the same time; chosen by us: a listing comes no faster
AHEAD = 8  # reads taken and not yet yielded; chosen by us: bounds the memory to 800 records


class Standing(StrEnum):
    """How an image that is there stands in the table."""

    TAGGED = "tagged"
    REJECTED = "rejected"
    MISSING = "missing"  # no record, or a tombstone
    STALE = "stale"  # the record is of another object, product, model or taxonomy
    UNREADABLE = "unreadable"  # the record cannot be read, so nothing is known of the image


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

    for batch in map_in_order(look_up, _batches(candidates), at_once=AT_ONCE, ahead=AHEAD):
        yield from batch


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


def _batches(candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, ...]]:
    rest = iter(candidates)
    while batch := tuple(islice(rest, READ_BATCH)):
        yield batch
