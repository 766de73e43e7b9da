"""An in-memory fake of the image store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from pipeline.clock import utc_now
from pipeline.errors import TooLarge
from pipeline.images import BucketPrefix, Fetched, FetchedImage, Gone, ImageRef, ListedImage, Unchanged


@dataclass
class MemoryImages:
    """Photos in memory. ``fetches`` counts the calls, ``downloads`` those that carried a body."""

    objects: dict[ImageRef, FetchedImage] = field(default_factory=dict)
    fetches: int = 0
    downloads: int = 0
    _lock: Lock = field(default_factory=Lock)

    def put(self, image: ImageRef, data: bytes, modified_at: datetime | None = None, product: str | None = None) -> str:
        """Store the object and return its ETag."""
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self.objects[image] = FetchedImage(data, etag, modified_at or utc_now(), product)
        return etag

    def delete(self, image: ImageRef) -> None:
        """Remove the object; a missing one is no error."""
        self.objects.pop(image, None)

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as ``ImageStore`` promises."""
        with self._lock:
            self.fetches += 1
            stored = self.objects.get(image)
            if stored is None:
                return Gone()
            if stored.etag == known_etag:
                return Unchanged()
            if len(stored.data) > limit_bytes:
                detail = f"{image} has {len(stored.data):,} bytes; the limit is {limit_bytes:,}"
                raise TooLarge(detail, stored.etag, stored.modified_at)
            self.downloads += 1
            return stored

    def listing(self, location: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield the objects as ``ImageStore`` promises."""
        for image in sorted(self.objects, key=lambda ref: ref.key.encode()):
            inside = image.bucket == location.bucket and image.key.startswith(location.prefix)
            if inside and image.key.encode() > start_after.encode():
                stored = self.objects[image]
                yield ListedImage(image, stored.etag, len(stored.data), stored.modified_at)
