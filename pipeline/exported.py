"""What an export says of images, for whoever holds it against the bucket and the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.images import BucketPrefix, ImageRef


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """The look by which an image stands in an export."""

    image: ImageRef
    observed_at: datetime
    etag: str | None


class ExportedImages(Protocol):
    """The images of an export."""

    @property
    def as_of(self) -> datetime:
        """When the export began: it holds every record that was written before, and perhaps later ones."""
        ...

    def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images of the place, in the order of their UTF-8 keys.

        Raises:
            BadExport: a file of it is missing or damaged.
        """
        ...


@dataclass
class MemoryExportedImages:
    """An export in memory."""

    as_of: datetime
    images: list[ExportedImage] = field(default_factory=list)

    def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images as ``ExportedImages`` promises."""
        for each in sorted(self.images, key=lambda each: each.image.key.encode()):
            if each.image.bucket == place.bucket and each.image.key.startswith(place.prefix):
                yield each
