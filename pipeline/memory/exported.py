"""An in-memory fake of an export's images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.exported import ExportedImage
from pipeline.images import BucketPrefix


@dataclass
class MemoryExportedImages:
    """An export in memory."""

    as_of: datetime
    images: list[ExportedImage] = field(default_factory=list)

    def below(self, location: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images as ``ExportedImages`` promises."""
        for exported in sorted(self.images, key=lambda exported: exported.image.key.encode()):
            if exported.image.bucket == location.bucket and exported.image.key.startswith(location.prefix):
                yield exported

    def reopen(self) -> MemoryExportedImages:
        """Return the same images: what a test adds to them is seen."""
        return self
