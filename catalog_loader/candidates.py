"""Candidates: the images that a listing or a manifest names, before anybody decides to send them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.images import SCHEME, BucketPrefix, ImageRef, ListedImage
from pipeline.not_pictures import skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.listing import Listing
    from pipeline.ports import ImageStore


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that was named: by a listing, which knows its object, or by a manifest, which may know its product."""

    image: ImageRef
    listed: ListedImage | None = None
    product: str | None = None
    listing: Listing | None = None  # what the shop says of the product, where a manifest has a column of it
    again: bool = False  # read it once more, though it was rejected and has not changed


@dataclass
class CandidateCounts:
    """How many candidates there were, and how many of them were skipped, by reason."""

    count: int = 0
    skipped_by: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> int:
        """How many are not sent."""
        return self.skipped_by.total()

    def pictures(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield those that may be pictures, counting all of them."""
        for candidate in candidates:
            self.count += 1
            reason = skip_reason(candidate.image.key)
            if reason is None:
                yield candidate
            else:
                self.skipped_by[reason] += 1

    def by_reason(self) -> Mapping[str, int]:
        """Return how many were skipped for each reason, most first."""
        return dict(self.skipped_by.most_common())


def list_candidates(images: ImageStore, prefix: BucketPrefix, start_after: str = "") -> Iterator[Candidate]:
    """Yield the objects below the prefix whose key follows ``start_after``, in the order of the keys."""
    for listed in images.listing(prefix, start_after.removeprefix(f"{SCHEME}{prefix.bucket}/")):
        yield Candidate(listed.image, listed)


def skip_past(start_after: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield what follows the image ``s3://bucket/key`` in a manifest; everything if the name is empty.

    Raises:
        CallerError: the manifest does not name the image.
    """
    rest = iter(candidates)
    if start_after and not any(str(candidate.image) == start_after for candidate in rest):
        raise CallerError(f"the manifest does not name {start_after}, after which to start")
    yield from rest
