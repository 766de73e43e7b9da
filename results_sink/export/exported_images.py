"""The images of a snapshot, for whoever holds the export against the bucket and the table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.exported import ExportedImage
from pipeline.images import ImageRef
from results_sink.export.changes import BEGINNING
from results_sink.export.manifest import LATEST_NAME
from results_sink.search.snapshot import open_latest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.images import BucketPrefix
    from results_sink.connect import ExportPlace
    from results_sink.search.snapshot import Snapshot


@dataclass(frozen=True)
class SnapshotImages:
    """The images of a snapshot, as ``ExportedImages`` promises. Deltas tell of later looks, and are not read."""

    snapshot: Snapshot

    @property
    def as_of(self) -> datetime:
        """When the scan of the table began."""
        return self.snapshot.manifest.scan_began_at

    def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images of the place, a row group in memory at a time; files before and behind it stay closed."""
        begin = str(place)
        parts = [part for part in self.snapshot.manifest.images if part.rows]
        first = bisect_right(parts, begin, key=lambda part: self.snapshot.open(part).first_image)
        for part in parts[max(first - 1, 0) :]:
            for rows in self.snapshot.open(part).looks(begin):
                for name, observed_at, etag in rows:
                    if name.startswith(begin):
                        yield ExportedImage(ImageRef.parse(name), observed_at, etag)
                    elif name > begin:
                        return


def exported_images(place: ExportPlace) -> SnapshotImages | None:
    """Return the images of the export at the place, or None where the table was never exported to it as a whole.

    Raises:
        BadExport: it is damaged.
    """
    if place.files.read(LATEST_NAME) is None:
        return None
    snapshot = open_latest(place.files, place.copies, place.name)
    return None if snapshot.manifest.scan_began_at == BEGINNING else SnapshotImages(snapshot)
