"""A snapshot with the changes since laid over it, in memory: what was changed hides what the snapshot says of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from results_sink.evaluate import evaluated
from results_sink.hits import Algebra, Hits
from results_sink.places import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from results_sink.delta import Overlay
    from results_sink.index import Index
    from results_sink.parquet import Shown
    from results_sink.query import Node


class Layered:
    """Answers as ``Index`` does. Rows behind the snapshot's are those of the overlay.

    Both are asked alone and put together: what was read of the snapshot serves every state of it as it is.
    """

    def __init__(self, index: Index, overlay: Overlay) -> None:
        """Find out which rows of the snapshot are hidden."""
        self._index, self._overlay, self._changed = index, overlay, Changed(overlay)
        self._base = index.image_rows
        self._was_rows = index.rows_named(overlay.names)
        self._visible = np.ones(self._base, np.bool_)
        self._visible[self._was_rows[self._was_rows != ABSENT]] = False
        self._set_codes = index.codes(overlay.set_codes, overlay.sets)

    @property
    def sets(self) -> list[str]:
        """The different sets of keyword ids seen so far."""
        return self._index.sets

    def find(self, node: Node) -> Hits:
        """Return the images that a query finds."""
        below, above = self._index.find(node), evaluated(node, self._changed)
        seen = np.flatnonzero(self._visible[below.rows])
        if len(seen) == len(below.rows) and not len(above.rows):
            return below
        rows, scores = np.empty(len(seen) + len(above.rows), np.int64), np.empty(len(seen) + len(above.rows))
        np.take(below.rows, seen, out=rows[: len(seen)], mode="clip")  # the mode that writes in place
        np.take(below.scores, seen, out=scores[: len(seen)], mode="clip")
        np.add(above.rows, self._base, out=rows[len(seen) :])
        scores[len(seen) :] = above.scores
        return Hits(rows, scores)

    def products_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return a number for each of these images that is the same for all images of a product: int32 [N]."""
        split = int(np.searchsorted(rows, self._base))
        return np.concatenate([self._index.products_of(rows[:split]), self._products[rows[split:] - self._base]])

    def set_codes(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return for each of these images the place in ``sets`` of its keywords: int32 [N]."""
        split = int(np.searchsorted(rows, self._base))
        return np.concatenate([self._index.set_codes(rows[:split]), self._set_codes[rows[split:] - self._base]])

    def shown(self, rows: Sequence[int], keyword_ids: Iterable[str]) -> list[Shown]:
        """Return what is shown of these images."""
        below = [row for row in rows if row < self._base]
        above = [row for row in rows if row >= self._base]
        found = dict(zip(below, self._index.shown(below, keyword_ids), strict=True))
        found |= zip(above, self._overlay.shown([row - self._base for row in above]), strict=True)
        return [found[row] for row in rows]

    @cached_property
    def _products(self) -> NDArray[np.int32]:
        return self._index.products.of(self._overlay.products, self._was_rows[self._overlay.is_there])


class Changed:
    """The images of an overlay, as a layer that is asked."""

    def __init__(self, overlay: Overlay) -> None:
        """Combine nothing yet."""
        self.algebra = Algebra(overlay.rows)
        self.tagged = Hits(overlay.tagged, np.ones(len(overlay.tagged)))
        self._postings = overlay.postings

    def term(self, keyword_ids: frozenset[str]) -> Hits:
        """Return the images that have any of these keywords, by the best of their scores."""
        return self.algebra.union([self._postings[each] for each in sorted(keyword_ids & self._postings.keys())])
