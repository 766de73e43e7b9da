"""Holds an export against the records that it was made from: what it lacks, has too old, or has too much."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog_loader.compare import READ_BATCH
from pipeline.records import RejectedImage, TaggedImage
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog_loader.compare import ComparedImage
    from pipeline.exported import ExportedImage
    from pipeline.images import ImageRef
    from pipeline.ports import RecordTable
    from pipeline.records import Record

OFFENDERS = 10  # of each kind are named; chosen by us: enough to see what they have in common
SETTLING = timedelta(seconds=60)  # chosen by us: between a look and the end of its write lie three tries of 10 s


class ExportGap(StrEnum):
    """What is wrong with an export, though its time to be right had come."""

    NOT_EXPORTED = "not_exported"  # recorded before the export began, and not in it
    EXPORT_STALE = "export_stale"  # in it by an older look than the one that was recorded before it began
    EXPORTED_ORPHAN = "exported_orphan"  # in it, though it was gone before it began, or nothing is known of it


@dataclass
class HeldExport:
    """What was found of an export that began at ``as_of``."""

    as_of: datetime
    counts: Counter[str] = field(default_factory=Counter)
    offenders: dict[ExportGap, list[ImageRef]] = field(default_factory=lambda: {gap: [] for gap in ExportGap})
    newer: int = 0  # images that were looked at since it began: it cannot know of them yet

    @property
    def has_gap(self) -> bool:
        """Whether anything is wrong with it."""
        return self.counts.total() > 0

    def hold(self, image: ImageRef, record: Record | UnreadableItem | None, exported: ExportedImage | None) -> None:
        """Hold what the export says of an image, or that it says nothing, against the record, or that there is none."""
        if isinstance(record, UnreadableItem):  # the export left it out, and the audit names it already
            return
        # DECISIONS.md, 19
        if record is not None and record.observation.observed_at >= self.as_of - SETTLING:
            self.newer += record.observation.observed_at >= self.as_of
            return
        gap = export_gap(record, exported)
        if gap is not None:
            self.counts[gap] += 1
            self.offenders[gap] += [image][: OFFENDERS - len(self.offenders[gap])]


def export_gap(record: Record | None, exported: ExportedImage | None) -> ExportGap | None:
    """Return what is wrong between a record and an export that began after it was written; None where nothing is.

    A look that was undone leaves the one before, which is older than the one exported, of the same object.
    """
    if not isinstance(record, TaggedImage | RejectedImage):
        return None if exported is None else ExportGap.EXPORTED_ORPHAN
    if exported is None:
        return ExportGap.NOT_EXPORTED
    is_older = exported.observed_at < record.observation.observed_at or exported.etag != record.observation.etag
    return ExportGap.EXPORT_STALE if is_older else None


def held(
    images: Iterable[ComparedImage], exported: Iterator[ExportedImage], table: RecordTable, export: HeldExport
) -> Iterator[ComparedImage]:
    """Yield the images as they come, which is in the order of their keys, and hold the export's against them.

    What is exported and not among them is looked up in the table, a hundred at a time: its file may be gone, or have
    an ending that is never loaded.
    """
    following = next(exported, None)
    strangers: list[ExportedImage] = []
    for image in images:
        ref = image.candidate.image
        while following is not None and following.image.key < ref.key:
            strangers = _looked_up([*strangers, following], table, export, READ_BATCH)
            following = next(exported, None)
        is_same = following is not None and following.image == ref
        export.hold(ref, image.record, following if is_same else None)
        following = next(exported, None) if is_same else following
        yield image
    while following is not None:
        strangers = _looked_up([*strangers, following], table, export, READ_BATCH)
        following = next(exported, None)
    _looked_up(strangers, table, export, 1)


def _looked_up(
    strangers: list[ExportedImage], table: RecordTable, export: HeldExport, at_least: int
) -> list[ExportedImage]:
    """Hold these against the table if there are enough of them, and return those that are still to be held."""
    if len(strangers) < at_least:
        return strangers
    records = table.get_many([each.image for each in strangers])
    for each in strangers:
        export.hold(each.image, records.get(each.image), each)
    return []
