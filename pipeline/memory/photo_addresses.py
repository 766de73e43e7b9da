"""An in-memory fake of photo addresses."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.images import ImageRef, product_metadata
from pipeline.ports import UploadForm


@dataclass
class MemoryAddresses:
    """Addresses that lead nowhere, as ``PhotoAddresses`` promises. ``forms`` keeps the requests."""

    forms: list[tuple[ImageRef, str, int, int]] = field(default_factory=list)

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return an address that says what it is for."""
        return f"https://photos.invalid/{image.bucket}/{image.key}?seconds={seconds}"

    def to_write(
        self, image: ImageRef, media_type: str, size_bytes: int, seconds: int, product: str | None = None
    ) -> UploadForm:
        """Return a form that says what it is for."""
        self.forms.append((image, media_type, size_bytes, seconds))
        metadata = product_metadata(product) if product else {}
        fields = {"key": image.key, "Content-Type": media_type, **metadata}
        return UploadForm(f"https://photos.invalid/{image.bucket}", fields)
