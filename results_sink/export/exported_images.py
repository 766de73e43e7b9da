"""The images of an export as searches see them, for comparison with the bucket and the table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Any

from pipeline.exported import ExportedImage
from pipeline.images import BucketPrefix, ImageRef
from results_sink.export.delta import PUT
from results_sink.export.manifest import LATEST_NAME, Latest
from results_sink.export.parquet import ParquetFile
from results_sink.export.tables import CHANGE
from results_sink.search.snapshot import Snapshot, open_snapshot, read_latest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from results_sink.connect import ExportPlace

    _Row = dict[str, Any]

_COLUMNS = ("image", "observed_at", "etag", "revision", "keywords")  # of ``images/``: what an audit compares


@dataclass(frozen=True)
class SnapshotImages:
    """The images of a snapshot with its deltas, as ``ExportedImages`` promises.

    Attributes:
        export: where the export is stored.
        latest: what was published when it was opened.
        snapshot: the snapshot.
        as_of: the time up to which it must be complete.
    """

    export: ExportPlace
    latest: Latest
    snapshot: Snapshot
    as_of: datetime

    def below(self, location: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images below the prefix. One row group of the snapshot is in memory, and all rows of the deltas."""
        changed = self._changed(str(location))
        unchanged = (row for row in self._snapshot_rows(str(location)) if row["image"] not in changed)
        present = (row for row in changed.values() if row[CHANGE] == PUT)
        # An image comes more than once only if the export is wrong, which an audit has to see.
        for row in merge(unchanged, sorted(present, key=_utf8), key=_utf8):
            ref = ImageRef.parse(row["image"])
            keywords = tuple((tag["keyword_id"], tag["score"]) for tag in row["keywords"])
            yield ExportedImage(ref, row["observed_at"], row["etag"], row["revision"], keywords)

    def reopen(self) -> SnapshotImages:
        """Return the export as it is now, with the same ``as_of``."""
        return _open(self.export, self.as_of)

    def _changed(self, begin: str) -> dict[str, _Row]:
        """Return the last row of each image of the deltas, by image."""
        changed: dict[str, _Row] = {}
        for delta in self.latest.deltas:
            rows = ParquetFile(self.export.copies.path_of(delta.sum)).rows((CHANGE, *_COLUMNS))
            changed.update((row["image"], row) for row in rows if row["image"].startswith(begin))
        return changed

    def _snapshot_rows(self, begin: str) -> Iterator[_Row]:
        """Yield the snapshot's rows whose names begin with this; files before and after them stay closed."""
        parts = [part for part in self.snapshot.manifest.images if part.rows]
        first = bisect_right(parts, begin, key=lambda part: self.snapshot.open(part).first_image)
        for part in parts[max(first - 1, 0) :]:
            for row in self.snapshot.open(part).rows(_COLUMNS, begin):
                if row["image"].startswith(begin):
                    yield row
                elif row["image"] > begin:
                    return


def exported_images(export: ExportPlace, *, is_followed: bool) -> SnapshotImages | None:
    """Return the images of the export, or None if nothing was ever exported there.

    Args:
        export: where the export is stored.
        is_followed: whether it records the table's stream: then it must be complete up to now, else up to its scan.

    Raises:
        BadExport: it is damaged.
    """
    if export.files.read(LATEST_NAME) is None:
        return None
    opened = _open(export, export.files.now())
    if is_followed:
        return opened
    return SnapshotImages(export, opened.latest, opened.snapshot, opened.snapshot.manifest.scan_began_at)


def _open(export: ExportPlace, as_of: datetime) -> SnapshotImages:
    latest = read_latest(export.files, export.name)
    return SnapshotImages(export, latest, open_snapshot(latest, export.files, export.copies, export.name), as_of)


def _utf8(row: _Row) -> bytes:
    return str(row["image"]).encode()
