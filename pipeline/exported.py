"""What an export says of images, and what is wrong with its files, for whoever compares it with bucket and table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.images import BucketPrefix, ImageRef


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image as searches see it: the observation, the record's revision, and its keywords with their scores."""

    image: ImageRef
    observed_at: datetime
    etag: str | None
    revision: int
    keywords: tuple[tuple[str, float], ...] = ()


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


@dataclass(frozen=True, slots=True)
class ExportDamage:
    """What is wrong with a file of an export; ``stops_search`` where searches fail or answer wrongly because of it."""

    file: str
    problem: str
    stops_search: bool = True


@dataclass(frozen=True, slots=True)
class OpenedExport:
    """An export as an audit opens it; no images where it cannot be read, or nothing was ever exported."""

    images: ExportedImages | None = None
    damages: tuple[ExportDamage, ...] = ()


@dataclass
class MemoryExportedImages:
    """An export in memory."""

    as_of: datetime
    images: list[ExportedImage] = field(default_factory=list)

    def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
        """Yield the images as ``ExportedImages`` promises."""
        for exported in sorted(self.images, key=lambda exported: exported.image.key.encode()):
            if exported.image.bucket == place.bucket and exported.image.key.startswith(place.prefix):
                yield exported

    def reopen(self) -> MemoryExportedImages:
        """Return the same images: what a test adds to them is seen."""
        return self
