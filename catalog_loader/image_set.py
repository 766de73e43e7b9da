"""A set of very many images, of which nothing but digests is kept."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog_loader.candidates import Candidate
    from pipeline.images import ImageRef

DIGEST_BYTES = 8  # of each name are kept: two of a billion names collide with a chance of 3 in 100


class ImageSet:
    """A set of images in eight bytes each, which is filled first, then sorted, then asked."""

    def __init__(self) -> None:
        """Begin with no image."""
        self._digests = array("Q")

    def add(self, image: ImageRef) -> None:
        """Add the image; the set must be sorted before it is asked."""
        self._digests.append(digest_of(str(image)))

    def noted(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates, adding each."""
        for candidate in candidates:
            self.add(candidate.image)
            yield candidate

    def sort(self) -> None:
        """Make the set ready to be asked."""
        np.frombuffer(self._digests, np.uint64).sort() if self._digests else None

    def __contains__(self, image: ImageRef) -> bool:
        """Return whether the image was added."""
        digest = digest_of(str(image))
        position = bisect_left(self._digests, digest)
        return position < len(self._digests) and self._digests[position] == digest


def digest_of(name: str) -> int:
    """Return a digest of a name, of ``DIGEST_BYTES``."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=DIGEST_BYTES).digest())
