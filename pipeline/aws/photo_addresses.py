"""Presigned addresses of Amazon S3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.images import ImageRef, product_metadata
from pipeline.ports import UploadForm


@dataclass(frozen=True)
class S3Addresses:
    """Presigned addresses of S3, as ``PhotoAddresses`` promises.

    Attributes:
        s3: the client that is made for them.
        elsewhere: by bucket, a client of the bucket's region, for buckets in other regions.
    """

    s3: Any
    elsewhere: Mapping[str, Any] = field(default_factory=dict)

    def to_read(self, image: ImageRef, seconds: int) -> str:
        """Return a presigned GetObject."""
        target = {"Bucket": image.bucket, "Key": image.key}
        s3 = self.elsewhere.get(image.bucket, self.s3)
        return str(s3.generate_presigned_url("get_object", Params=target, ExpiresIn=seconds))

    def to_write(
        self, image: ImageRef, media_type: str, size_bytes: int, seconds: int, product: str | None = None
    ) -> UploadForm:
        """Return a presigned POST, whose policy names key, type, size and product."""
        metadata = product_metadata(product) if product else {}
        fields = {"Content-Type": media_type, **{f"x-amz-meta-{name}": value for name, value in metadata.items()}}
        form = self.elsewhere.get(image.bucket, self.s3).generate_presigned_post(
            image.bucket,
            # With ${filename} in the key, the sender would choose the name.
            image.key,
            Fields=dict(fields),
            Conditions=[
                *({name: value} for name, value in fields.items()),
                ["content-length-range", size_bytes, size_bytes],
            ],
            ExpiresIn=seconds,
        )
        return UploadForm(form["url"], form["fields"])
