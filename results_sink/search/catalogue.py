"""A snapshot under its deltas: a changed image hides its older row in the snapshot."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from results_sink.export.columns import ImageColumns, changed_columns, changed_images
from results_sink.search.image_index import NOT_FOUND, ImageIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from results_sink.search.query import Node

Number = TypeVar("Number", bound="np.generic")


class Catalogue:
    """All images by row: the snapshot's first, then the changed ones in the order of their changes.

    A changed image is hidden in the snapshot. Whether an image matches depends on its own keywords alone, so each part
    is searched by itself.
    """

    def __init__(self, base: ImageIndex, deltas: Sequence[Any] = ()) -> None:
        """Lay the deltas, the oldest first, over the snapshot."""
        self._base = base
        self._changed: ImageIndex | None = None
        self._hidden = np.empty(0, np.int64)
        self.changes = 0
        if deltas:
            images = changed_images(deltas)
            self._changed = ImageIndex(changed_columns(deltas))
            self._hidden, self.changes = base.columns.rows_among(images), len(images)

    @property
    def parts(self) -> list[ImageIndex]:
        """The snapshot, and the changes since, if any."""
        return [self._base, self._changed] if self._changed else [self._base]

    @property
    def changed(self) -> ImageColumns | None:
        """The images changed since the snapshot; their rows follow its own."""
        return self._changed.columns if self._changed else None

    @property
    def rows(self) -> int:
        """The number of rows, hidden ones included."""
        return sum(len(part) for part in self.parts)

    @property
    def has_colours(self) -> bool:
        """Whether the export has the images' colours."""
        return any(part.columns.colours is not None for part in self.parts)

    def scores_of(self, node: Node) -> NDArray[np.float32]:
        """Return the score of each image, or ``NOT_FOUND``: float32 [N], read-only for callers."""
        if self._changed is None:
            return self._base.scores_of(node)
        # DECISIONS.md, 28: part by part, so that a new delta costs no pass over the snapshot's keywords.
        scores = np.concatenate([part.scores_of(node) for part in self.parts])
        scores[self._hidden] = NOT_FOUND
        return scores

    def visible(self, flags: Callable[[ImageColumns], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return which visible images have this property of their columns: bool [N]."""
        has_property = self.values(lambda part: flags(part.columns))
        has_property[self._hidden] = False
        return has_property

    @cached_property
    def products(self) -> NDArray[np.int32]:
        """The product number of each image: int32 [N]."""
        if self._changed is None:
            return self._base.columns.products
        columns = self._base.columns
        return np.concatenate([columns.products, columns.numbers_of_products(self._changed.columns)])

    @cached_property
    def set_codes(self) -> NDArray[np.int64]:
        """The index of each image's keywords in ``keyword_sets``: int64 [N]."""
        if self._changed is None:
            return self._base.set_codes
        return np.concatenate([self._base.set_codes, self._changed.set_codes + len(self._base.keyword_sets)])

    @property
    def keyword_sets(self) -> list[tuple[str, ...]]:
        """The distinct sets of keyword ids."""
        return [keyword_ids for part in self.parts for keyword_ids in part.keyword_sets]

    def values(self, of_part: Callable[[ImageIndex], NDArray[Number]]) -> NDArray[Number]:
        """Return what ``of_part`` returns for each image of a part, for all images: [N]."""
        return np.concatenate([of_part(part) for part in self.parts])

    def where(self, row: int) -> tuple[ImageColumns, int]:
        """Return the columns that hold an image, and its row in them."""
        if self._changed is None or row < len(self._base):
            return self._base.columns, row
        return self._changed.columns, row - len(self._base)
