"""A snapshot with the changes since laid over it, in memory: what was changed hides what the snapshot says of it."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from results_sink.delta import numbers_in
from results_sink.hits import Algebra, Hits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from results_sink.delta import Overlay
    from results_sink.index import Index
    from results_sink.parquet import Shown


KEPT_TERM_ROWS = 4_000_000  # rows of what words were found to mean, chosen by us: some 60 MB, in each of few states


class Layered:
    """Answers as ``Index`` does. Rows behind the snapshot's are those of the overlay."""

    def __init__(self, index: Index, overlay: Overlay) -> None:
        """Find out which rows of the snapshot are hidden."""
        self._index, self._overlay = index, overlay
        self._base = index.image_rows
        self.image_rows = self._base + overlay.rows
        self._hidden = np.zeros(self._base, np.bool_)
        self._hidden[index.rows_named(overlay.names)] = True
        self._set_codes = index.codes(overlay.set_codes, overlay.sets)
        self._above = Algebra(overlay.rows)
        self._terms: OrderedDict[frozenset[str], Hits] = OrderedDict()

    @property
    def sets(self) -> list[str]:
        """The different sets of keyword ids seen so far."""
        return self._index.sets

    @cached_property
    def tagged(self) -> Hits:
        """All tagged images, with the score 1."""
        below = self._seen(self._index.tagged).rows
        rows = np.concatenate([below, self._base + self._overlay.tagged])
        return Hits(rows, np.ones(len(rows)))

    @cached_property
    def product_codes(self) -> NDArray[np.int64]:
        """A number for each image that is the same for all images of a product: int64 [image_rows]."""
        codes, products = self._index.products
        return np.concatenate([codes, numbers_in(self._overlay.products, products)])

    def term(self, keyword_ids: frozenset[str]) -> Hits:
        """Return the images that have any of these keywords, by the best of their scores."""
        if keyword_ids not in self._terms:
            below = self._seen(self._index.term(keyword_ids))
            posted = (self._overlay.postings.get(each) for each in sorted(keyword_ids))
            above = self._above.union([each for each in posted if each is not None])
            rows = np.concatenate([below.rows, self._base + above.rows])
            self._terms[keyword_ids] = Hits(rows, np.concatenate([below.scores, above.scores]))
            while len(self._terms) > 1 and sum(len(each.rows) for each in self._terms.values()) > KEPT_TERM_ROWS:
                self._terms.popitem(last=False)
        self._terms.move_to_end(keyword_ids)
        return self._terms[keyword_ids]

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

    def _seen(self, hits: Hits) -> Hits:
        seen = ~self._hidden[hits.rows]
        return Hits(hits.rows[seen], hits.scores[seen])
