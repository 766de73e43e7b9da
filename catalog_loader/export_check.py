"""Compares an export with the records that it was made from: what it lacks, has too old, wrong, or too much."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog_loader.compare import READ_BATCH, ComparedImage
from catalog_loader.image_set import ImageSet
from catalog_loader.send import OFFENDERS
from pipeline.images import BucketPrefix, ImageRef
from pipeline.records import Record, RejectedImage, TaggedImage
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.exported import ExportDamage, ExportedImage, OpenedExport
    from pipeline.ports import ExportedImages, RecordTable

SETTLING = timedelta(seconds=60)  # chosen by us: a write is tried three times, for 10 s each
SUSPECTS = 100  # are compared again; chosen by us: each reads a row group. More than so many do not wait for the stream
STREAM_WAITS_S = (1.0, 2.0, 3.0, 4.0)  # before each comparison; chosen by us: a change is searched after 2 to 5 s


class ExportGap(StrEnum):
    """What is wrong with an export, though its time to be right had come."""

    NOT_EXPORTED = "not_exported"  # recorded, and not in it
    EXPORT_STALE = "export_stale"  # in it as an older revision of the record, or of another object
    EXPORT_WRONG = "export_wrong"  # in it as this revision of the record, with other keywords or scores
    EXPORTED_ORPHAN = "exported_orphan"  # in it, though it is gone, nothing is known of it, or it is in it twice


@dataclass
class ExportComparison:
    """What was found of an export; ``images`` is None where it cannot be read or nothing was ever exported."""

    images: ExportedImages | None
    damages: tuple[ExportDamage, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    offenders: dict[ExportGap, list[ImageRef]] = field(default_factory=lambda: {gap: [] for gap in ExportGap})
    newer: int = 0  # images that were observed since ``as_of``: the export cannot know of them yet
    _suspects: dict[ImageRef, ExportGap] = field(default_factory=dict)

    @classmethod
    def of(cls, opened: OpenedExport) -> ExportComparison:
        """Return the comparison with this export, before it begins."""
        return cls(opened.images, opened.damages)

    @property
    def as_of(self) -> datetime | None:
        """Up to when the export must be complete."""
        return self.images.as_of if self.images else None

    @property
    def has_gap(self) -> bool:
        """Whether anything is wrong with it."""
        return self.counts.total() > 0 or bool(self.damages)

    @property
    def search_is_down(self) -> bool:
        """Whether searches fail, or answer from files that are damaged."""
        return any(damage.stops_search for damage in self.damages)

    def compare(self, image: ImageRef, record: Record | UnreadableItem | None, exported: ExportedImage | None) -> None:
        """Compare what the export says of an image, or that it says nothing, with the record, or that there is none."""
        if isinstance(record, UnreadableItem):  # the export left it out, and the audit names it already
            return
        # What was observed after the export began is newer, and no gap (DECISIONS.md, 19).
        if record is not None and self.as_of and record.observation.observed_at >= self.as_of - SETTLING:
            self.newer += record.observation.observed_at >= self.as_of
            return
        gap = export_gap(record, exported)
        if gap is None:
            return
        if len(self._suspects) < SUSPECTS:
            self._suspects[image] = gap
        else:
            self._add(gap, image)

    def add_doubled(self, image: ImageRef) -> None:
        """Count an image that the export has twice."""
        self._add(ExportGap.EXPORTED_ORPHAN, image)

    def settle(self, table: RecordTable, sleep: Callable[[float], object]) -> None:
        """Compare the images with gaps again while changes may still be on their way, then count what is left.

        An image may have been written after one side was read and before the other, and the stream takes seconds.
        Where there are more gaps than are compared again, it is no matter of seconds.
        """
        waits_s = () if self.counts else STREAM_WAITS_S
        for wait_s in waits_s:
            if not self._suspects or self.images is None:
                break
            sleep(wait_s)
            self.images = self.images.reopen()
            records = table.get_many(self._suspects)
            gaps = {image: export_gap(records.get(image), self._lookup(image)) for image in self._suspects}
            self._suspects = {image: gap for image, gap in gaps.items() if gap is not None}
        for image, gap in self._suspects.items():
            self._add(gap, image)
        self._suspects = {}

    def _lookup(self, image: ImageRef) -> ExportedImage | None:
        below = self.images.below(BucketPrefix(image.bucket, image.key)) if self.images else iter(())
        exported = next(below, None)
        return exported if exported and exported.image == image else None

    def _add(self, gap: ExportGap, image: ImageRef) -> None:
        self.counts[gap] += 1
        self.offenders[gap] += [image][: OFFENDERS - len(self.offenders[gap])]


def export_gap(record: Record | UnreadableItem | None, exported: ExportedImage | None) -> ExportGap | None:
    """Return what is wrong between a record and an export that must have it; None where nothing is."""
    if isinstance(record, UnreadableItem):
        return None
    if not isinstance(record, TaggedImage | RejectedImage):
        return None if exported is None else ExportGap.EXPORTED_ORPHAN
    if exported is None:
        return ExportGap.NOT_EXPORTED
    if exported.revision != record.revision or exported.etag != record.observation.etag:
        return ExportGap.EXPORT_STALE
    keywords = record.keywords if isinstance(record, TaggedImage) else ()
    is_right = exported.keywords == tuple((tag.keyword_id, tag.score) for tag in keywords)
    return None if is_right else ExportGap.EXPORT_WRONG


def with_export(
    images: Iterable[ComparedImage], exported: Iterator[ExportedImage], table: RecordTable, comparison: ExportComparison
) -> Iterator[ComparedImage]:
    """Yield the images as they come, which is in the order of their keys, and compare the export's with them.

    What is exported and not among them is looked up in the table, a hundred at a time: its file may be gone, or have
    an ending that is never loaded.
    """
    following = next(exported, None)
    strangers: list[ExportedImage] = []
    for image in images:
        ref = image.candidate.image
        while following is not None and following.image.key < ref.key:
            strangers = _look_up([*strangers, following], table, comparison, READ_BATCH)
            following = next(exported, None)
        is_same = following is not None and following.image == ref
        comparison.compare(ref, image.record, following if is_same else None)
        following = next(exported, None) if is_same else following
        while following is not None and following.image == ref:
            comparison.add_doubled(ref)
            following = next(exported, None)
        yield image
    while following is not None:
        strangers = _look_up([*strangers, following], table, comparison, READ_BATCH)
        following = next(exported, None)
    _look_up(strangers, table, comparison, 1)


def with_export_in_any_order(
    images: Iterable[ComparedImage], exported: Iterator[ExportedImage], table: RecordTable, comparison: ExportComparison
) -> Iterator[ComparedImage]:
    """Yield the images as they come, in whatever order, and compare the export's with them.

    The export goes first, against the table, so each record in it is read once more than ``with_export`` does.
    """
    names, last = ImageSet(), None
    strangers: list[ExportedImage] = []
    for entry in exported:
        if entry.image == last:
            comparison.add_doubled(entry.image)
            continue
        names.add(entry.image)
        strangers, last = _look_up([*strangers, entry], table, comparison, READ_BATCH), entry.image
    _look_up(strangers, table, comparison, 1)
    names.sort()
    for image in images:
        if image.candidate.image not in names:
            comparison.compare(image.candidate.image, image.record, None)
        yield image


def _look_up(
    strangers: list[ExportedImage], table: RecordTable, comparison: ExportComparison, at_least: int
) -> list[ExportedImage]:
    """Compare these with the table if there are enough of them, and return those that are still to be compared."""
    if len(strangers) < at_least:
        return strangers
    records = table.get_many({stranger.image for stranger in strangers})
    for stranger in strangers:
        comparison.compare(stranger.image, records.get(stranger.image), stranger)
    return []
