"""A snapshot with the changes since laid over it: what has changed hides what the snapshot says of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from results_sink.export.columns import ABSENT, changed_columns
from results_sink.search.images import NOT_FOUND, ImageIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import KeywordTag
    from pipeline.listing import Listing
    from results_sink.export.columns import DeltaRows, ImageColumns
    from results_sink.search.query import Node


class Catalogue:
    """All images by row: those of the snapshot first, then those that changed since, in the order of their changes.

    An image that changed is hidden in the snapshot. An image is found, or not, by its own keywords alone; so both parts
    are searched one by one.
    """

    def __init__(self, base: ImageIndex, deltas: Sequence[DeltaRows] = ()) -> None:
        """Lay the deltas, the oldest first, over the snapshot."""
        self._base = base
        self._changed = ImageIndex(changed_columns(deltas)) if deltas else None
        base_rows = {image: row for delta in deltas for image, row in zip(*_images_and_rows(delta, base), strict=True)}
        self.changes = len(base_rows)
        self._hidden = np.array([row for row in base_rows.values() if row != ABSENT], np.int64)
        self._base_rows = base_rows

    @property
    def parts(self) -> list[ImageIndex]:
        """The snapshot, and what changed since, if anything did."""
        return [self._base, self._changed] if self._changed else [self._base]

    @property
    def changed(self) -> ImageColumns | None:
        """What changed since the snapshot, whose rows follow the snapshot's."""
        return self._changed.columns if self._changed else None

    @property
    def rows(self) -> int:
        """How many rows there are, hidden ones among them."""
        return sum(len(part) for part in self.parts)

    @property
    def has_colours(self) -> bool:
        """Whether the export says the colours of images."""
        return any(part.columns.colours is not None for part in self.parts)

    def scores_of(self, node: Node) -> NDArray[np.float32]:
        """Return the score of each image, or ``NOT_FOUND``: float32 [N], which the caller must not change."""
        if self._changed is None:
            return self._base.scores_of(node)
        # DECISIONS.md, 28: one by one, so that a new delta does not cost what the snapshot is large.
        scores = np.concatenate([part.scores_of(node) for part in self.parts])
        scores[self._hidden] = NOT_FOUND
        return scores

    def visible(self, flags: Callable[[ImageColumns], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return which images have a property of their columns, and are not hidden: bool [N]."""
        has_property = np.concatenate([flags(part.columns) for part in self.parts])
        has_property[self._hidden] = False
        return has_property

    @cached_property
    def products(self) -> NDArray[np.int32]:
        """A number for each image that is the same for all images of a product: int32 [N]."""
        if self._changed is None:
            return self._base.columns.products
        numbers = self._base.product_numbers.numbers_of(self._changed.columns, self._base_rows)
        return np.concatenate([self._base.columns.products, numbers])

    @cached_property
    def set_codes(self) -> NDArray[np.int64]:
        """The number in ``keyword_sets`` of each image's keywords: int64 [N]."""
        if self._changed is None:
            return self._base.set_codes
        return np.concatenate([self._base.set_codes, self._changed.set_codes + len(self._base.keyword_sets)])

    @property
    def keyword_sets(self) -> list[tuple[str, ...]]:
        """The sets of keyword ids, by their numbers."""
        return [keyword_ids for part in self.parts for keyword_ids in part.keyword_sets]

    @property
    def observed_us(self) -> NDArray[np.int64]:
        """When each image was seen, in microseconds since 1970: int64 [N]."""
        return np.concatenate([part.columns.observed_us for part in self.parts])

    @property
    def surest_scores(self) -> NDArray[np.float32]:
        """The score of each image's surest keyword, 0 where it has none: float32 [N]."""
        return np.concatenate([part.surest_scores for part in self.parts])

    @property
    def keyword_counts(self) -> NDArray[np.int64]:
        """How many keywords each image has: int64 [N]."""
        return np.concatenate([np.diff(part.columns.offsets) for part in self.parts])

    @property
    def expected_errors(self) -> NDArray[np.float64]:
        """How many keywords of each image are expected to be wrong: float64 [N]."""
        return np.concatenate([part.columns.expected_errors for part in self.parts])

    def image_of(self, row: int) -> str:
        """Return the name of an image."""
        columns, index = self._where(row)
        return columns.image_of(index)

    def product_of(self, row: int) -> str:
        """Return the product of an image."""
        columns, index = self._where(row)
        return columns.product_of(index)

    def listing_of(self, row: int) -> Listing:
        """Return what the shop says of an image's product."""
        columns, index = self._where(row)
        return columns.listing_of(index)

    def tags_of(self, row: int) -> tuple[KeywordTag, ...]:
        """Return the keywords of an image."""
        columns, index = self._where(row)
        return columns.tags_of(index)

    def _where(self, row: int) -> tuple[ImageColumns, int]:
        if self._changed is None or row < len(self._base):
            return self._base.columns, row
        return self._changed.columns, row - len(self._base)


def _images_and_rows(delta: DeltaRows, base: ImageIndex) -> tuple[Iterable[str], list[Any]]:
    return delta.images, delta.rows_in(base.columns).tolist()
