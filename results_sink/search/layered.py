"""A snapshot with the changes since laid over it, in memory: what was changed hides what the snapshot says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.evaluate import evaluated
from results_sink.search.hits import NONE, Algebra, Hits
from results_sink.search.positions import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from results_sink.export.delta import Delta
    from results_sink.export.parquet import Shown
    from results_sink.search.index import Index
    from results_sink.search.query import Node

KEPT_LAID_ROWS = 200_000  # of deltas, chosen by us: some 10 MB; a fold comes long before so many photos have changed


class Layered:
    """Answers as ``Index`` does. Rows behind the snapshot's are those of the deltas, one after the other.

    The snapshot and the changes are asked alone, and what they find is put together: what was read of the snapshot
    serves every state of it as it is, and a further delta costs what it changes.
    """

    def __init__(self, index: Index, deltas: Mapping[str, Delta]) -> None:
        """Find out which rows are hidden by a later one. The deltas come by name, the oldest first."""
        self._index, self._base = index, index.image_rows
        self._laid = _laid(index, deltas)
        self._begins = list(accumulate((len(delta) for delta in deltas.values()), initial=0))
        last: dict[str, int] = {}  # where each image stands last
        for begin, delta in zip(self._begins, deltas.values(), strict=False):
            last.update(zip(delta.images, range(begin, begin + len(delta)), strict=True))
        self.changes = len(last)
        is_last = np.zeros(self._begins[-1], np.bool_)
        is_last[np.fromiter(last.values(), np.int64, len(last))] = True
        self._changed = Changed(index, self._laid, is_last)
        was_rows = np.concatenate([each.was_rows for each in self._laid])
        self._visible = np.ones(self._base, np.bool_)
        self._visible[was_rows[was_rows != ABSENT]] = False

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
        found = dict(zip(below, self._index.shown(below, keyword_ids), strict=True))
        for begin, laid in zip(self._begins, self._laid, strict=False):
            first = self._base + begin
            inside = [row for row in rows if first <= row < first + len(laid.delta)]
            if inside:
                found |= zip(inside, laid.delta.shown([row - first for row in inside]), strict=True)
        return [found[row] for row in rows]

    @cached_property
    def _products(self) -> NDArray[np.int32]:
        return np.concatenate([each.products_in(self._index) for each in self._laid])

    @cached_property
    def _set_codes(self) -> NDArray[np.int32]:
        return np.concatenate([each.set_codes for each in self._laid])


class Changed:
    """The images that changed, as a layer that is asked; the last change of each."""

    def __init__(self, index: Index, laid: Sequence[DeltaOverlay], is_last: NDArray[np.bool_]) -> None:
        """Know what is said of them."""
        begins = accumulate((len(each.delta) for each in laid), initial=0)
        rows = np.concatenate([begin + each.delta.said_rows for begin, each in zip(begins, laid, strict=False)])
        said = np.flatnonzero(is_last[rows])
        self._rows, self._numbers = rows[said], index.keyword_numbers
        self._keywords = np.concatenate([each.keywords for each in laid])[said]
        self._scores = np.concatenate([each.delta.said_scores for each in laid])[said]
        self.algebra = Algebra(len(is_last))
        tagged = np.flatnonzero(is_last & np.concatenate([each.delta.tagged for each in laid]))
        self.tagged = Hits(tagged, np.ones(len(tagged)))

    def term(self, keyword_ids: frozenset[str]) -> Hits:
        """Return the images that have any of these keywords, by the best of their scores."""
        is_wanted = np.zeros(len(self._numbers), np.bool_)
        is_wanted[[self._numbers[each] for each in keyword_ids & self._numbers.keys()]] = True
        found = np.flatnonzero(is_wanted[self._keywords])
        if not len(found):
            return NONE
        rows = self._rows[found]
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        return Hits(rows[begins], np.maximum.reduceat(self._scores[found], begins))


@dataclass(slots=True, eq=False)
class DeltaOverlay:
    """A delta over one snapshot.

    Attributes:
        delta: its rows.
        was_rows: int64 [rows], where the snapshot has each image, or ``ABSENT``.
        set_codes: int32 [rows], the place of each image's keywords in ``Index.sets``.
        keywords: int32 [said], the number in ``Index.keyword_numbers`` of each keyword that is said.
    """

    delta: Delta
    was_rows: NDArray[np.int64]
    set_codes: NDArray[np.int32]
    keywords: NDArray[np.int32]
    _products: NDArray[np.int32] | None = field(default=None, init=False)

    @classmethod
    def over(cls, index: Index, delta: Delta) -> DeltaOverlay:
        """Look up in the snapshot what the delta names."""
        numbers = index.keyword_numbers
        keywords = np.array([numbers.setdefault(each, len(numbers)) for each in delta.keyword_ids], np.int32)
        set_codes = index.codes(delta.set_codes, delta.sets)
        return cls(delta, index.rows_named(delta.images), set_codes, keywords[delta.said])

    def products_in(self, index: Index) -> NDArray[np.int32]:
        """Return the number of each image's product in that snapshot: int32 [rows]."""
        if self._products is None:
            self._products = index.products.of(self.delta.products, self.was_rows)
        return self._products


def _laid(index: Index, deltas: Mapping[str, Delta]) -> list[DeltaOverlay]:
    """Return the deltas over the snapshot, each looked up once while it is in use."""
    kept = index.laid
    for name, delta in deltas.items():
        if name not in kept or kept[name].delta is not delta:
            kept[name] = DeltaOverlay.over(index, delta)
        kept.move_to_end(name)
    found = [kept[name] for name in deltas]
    rows = sum(len(each.delta) for each in kept.values())
    while rows > KEPT_LAID_ROWS and len(kept) > 1:
        rows -= len(kept.popitem(last=False)[1].delta)
    return found
