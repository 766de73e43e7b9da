"""The images of an export as searches see them, for comparison with the bucket and the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.exported import ExportedImage
from pipeline.images import BucketPrefix, ImageRef
from results_sink.export.exported_records import ExportedRows
from results_sink.export.manifest import LATEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from results_sink.connect import ExportPlace

_COLUMNS = ("image", "observed_at", "etag", "revision", "keywords")  # of ``images/``: what an audit compares


@dataclass(frozen=True, slots=True)
class SnapshotImages:
    """The images of a snapshot with its deltas, as ``ExportedImages`` promises.

    Attributes:
        rows: of the export as it was when it was opened.
        as_of: the time up to which it must be complete.
    """

    rows: ExportedRows
    as_of: datetime

    def below(self, location: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images below the prefix. One row group of the snapshot is in memory, and all rows of the deltas."""
        for row in self.rows.below(str(location), _COLUMNS):
            keywords = tuple((tag["keyword_id"], tag["score"]) for tag in row["keywords"])
            yield ExportedImage(
                ImageRef.parse(row["image"]), row["observed_at"], row["etag"], row["revision"], keywords
            )

    def reopen(self) -> SnapshotImages:
        """Return the export as it is now, with the same ``as_of``."""
        return SnapshotImages(ExportedRows.open(self.rows.export), self.as_of)


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
    opened_at, rows = export.files.now(), ExportedRows.open(export)
    return SnapshotImages(rows, opened_at if is_followed else rows.snapshot.manifest.scan_began_at)
