"""Addresses by which a browser reaches photos in the buckets itself, for some minutes and for one photo each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.images import ImageRef


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that S3 takes as it is, with the file as its last field, and as nothing else."""

    url: str
    fields: Mapping[str, str]


class PhotoAddresses(Protocol):
    """Makes addresses. Nothing is asked of anybody."""

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return where the photo can be read."""
        ...

    def to_write(self, image: ImageRef, media_type: str, size_bytes: int, seconds: int) -> UploadForm:
        """Return where a photo of exactly this name, type and size can be put."""
        ...


@dataclass(frozen=True)
class S3Addresses:
    """Presigned addresses of S3, as ``PhotoAddresses`` promises. ``s3`` is the client that is made for them."""

    s3: Any

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return a presigned GetObject."""
        place = {"Bucket": image.bucket, "Key": image.key}
        return str(self.s3.generate_presigned_url("get_object", Params=place, ExpiresIn=seconds))

    def to_write(self, image: ImageRef, media_type: str, size_bytes: int, seconds: int) -> UploadForm:
        """Return a presigned POST, whose policy names key, type and size."""
        made = self.s3.generate_presigned_post(
            image.bucket,
            # Written with ${filename}, the name would be the sender's.
            image.key,
            Fields={"Content-Type": media_type},
            Conditions=[
                {"Content-Type": media_type},
                ["content-length-range", size_bytes, size_bytes],
            ],
            ExpiresIn=seconds,
        )
        return UploadForm(made["url"], made["fields"])


@dataclass
class MemoryAddresses:
    """Addresses that lead nowhere. ``forms`` keeps what was asked for."""

    forms: list[tuple[ImageRef, str, int, int]] = field(default_factory=list)

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return an address that says what it is for."""
        return f"https://photos.invalid/{image.bucket}/{image.key}?seconds={seconds}"

    def to_write(self, image: ImageRef, media_type: str, size_bytes: int, seconds: int) -> UploadForm:
        """Return a form that says what it is for."""
        self.forms.append((image, media_type, size_bytes, seconds))
        return UploadForm(f"https://photos.invalid/{image.bucket}", {"key": image.key, "Content-Type": media_type})
