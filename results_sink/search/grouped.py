"""Images that were found, by product: each product once, with its best image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from results_sink.search.hits import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

OF_EACH = 10  # images, chosen by us: of so many for each group that is wanted, the best are mostly of enough groups
FEW = 100  # groups, chosen by us: so many are looked at one by one before all hits are looked at once


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Hits whose rows stand together by group.

    Attributes:
        hits: in the order of their groups.
        order: int64 [N], where each of them stood among the hits that were grouped; None where they stood so already.
        starts: int64 [groups], where each group begins.
    """

    hits: Hits
    order: NDArray[np.int64] | None
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, hits: Hits, groups: NDArray[np.integer[Any]]) -> Grouped:
        """Return the hits by these groups, a number for each hit."""
        order = None
        if (groups[1:] < groups[:-1]).any():  # images of a product mostly have names that follow each other
            order = np.argsort(groups, kind="stable")
            hits, groups = Hits(hits.rows[order], hits.scores[order]), groups[order]
        begins = np.ones(len(groups), np.bool_)
        np.not_equal(groups[1:], groups[:-1], out=begins[1:])
        return cls(hits, order, np.flatnonzero(begins))

    def __len__(self) -> int:
        return len(self.starts)

    def in_order(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return values of the hits that were grouped, in the order of the groups."""
        return values if self.order is None else values[self.order]

    def best(self, limit: int) -> Hits:
        """Return the best image of each of the groups that score best, best first, and level ones by their images."""
        if not len(self):
            return self.hits
        if 0 < OF_EACH * limit < len(self.hits.rows):
            upper = self._upper(OF_EACH * limit)
            if len(upper) >= limit:  # what is not among these images scores below all of them
                return upper._best(limit)  # noqa: SLF001 - of its own kind
        return self._best(limit)

    def _upper(self, images: int) -> Grouped:
        """Return the best images, at least so many, by their groups."""
        places = self.hits.upper(images)
        groups = np.searchsorted(self.starts, places, side="right")
        starts = np.flatnonzero(np.diff(groups, prepend=0))
        return Grouped(Hits(self.hits.rows[places], self.hits.scores[places]), None, starts)

    def _best(self, limit: int) -> Hits:
        scores = np.maximum.reduceat(self.hits.scores, self.starts)
        level = np.arange(len(self))
        if limit < len(self):
            bar = np.partition(scores, len(self) - limit)[len(self) - limit] if limit else np.inf
            level = np.flatnonzero(scores >= bar)
        places = self._places(level, scores) if len(level) > FEW else self._few_places(level)
        rows = self.hits.rows[places]
        order = np.argsort(rows)
        return Hits(rows[order], scores[level][order]).best(limit)

    def _few_places(self, groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the best image of each of these groups stands, the first of several."""
        ends = np.append(self.starts[1:], len(self.hits.rows))
        pairs = zip(self.starts[groups].tolist(), ends[groups].tolist(), strict=True)
        return np.array([start + int(np.argmax(self.hits.scores[start:end])) for start, end in pairs], np.int64)

    def _places(self, groups: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the same for many groups: of all hits at once."""
        lengths = np.diff(np.append(self.starts, len(self.hits.rows)))
        is_best = self.hits.scores == np.repeat(scores, lengths)
        places = np.where(is_best, np.arange(len(is_best)), len(is_best))
        return np.minimum.reduceat(places, self.starts)[groups]
