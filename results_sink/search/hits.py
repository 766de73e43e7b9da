"""Images that were found, as sorted rows with scores, and what AND, OR and NOT make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ABSENT = -1.0  # what stands in the scratch for an image that is not found
SPARSE = 16  # under a sixteenth of all images, sorting is faster than going through the scratch; measured


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Images that were found.

    Attributes:
        rows: int64 [N], ascending rows of ``images/``, each once.
        scores: float64 [N], in [0, 1].
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]

    def at_least(self, score: float) -> Hits:
        """Return the images with this score or a higher one."""
        if score <= 0:
            return self
        enough = self.scores >= score
        return Hits(self.rows[enough], self.scores[enough])

    def after(self, count: int) -> Hits:
        """Return the images behind the first so many."""
        return Hits(self.rows[count:], self.scores[count:])

    def best(self, limit: int) -> Hits:
        """Return the images of the best scores, best first, and where scores are level the lower rows first."""
        rows, scores = self.rows, self.scores
        if limit < len(rows):
            bar = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit else np.inf
            above, level = np.flatnonzero(scores > bar), np.flatnonzero(scores == bar)
            inside = np.concatenate([above, level[: limit - len(above)]])
            rows, scores = rows[inside], scores[inside]
        order = np.lexsort((rows, -scores))
        return Hits(rows[order], scores[order])

    def upper(self, limit: int) -> NDArray[np.int64]:
        """Return where the images of at least so many best scores stand, with all that are level with the last."""
        bar = np.partition(self.scores, len(self.scores) - limit)[len(self.scores) - limit]
        return np.flatnonzero(self.scores >= bar)


NONE = Hits(np.empty(0, np.int64), np.empty(0, np.float64))


class Algebra:
    """Combines hits. Keeps a scratch of all images, so it works for one query at a time."""

    def __init__(self, image_rows: int) -> None:
        """Work on hits among so many images."""
        self._scratch = np.full(image_rows, ABSENT)
        self._laid = NONE  # the hits that lie in the scratch from before

    def union(self, parts: Sequence[Hits]) -> Hits:
        """Return what is in any part, each with its highest score."""
        if len(parts) < 2:  # noqa: PLR2004 - nothing is to be united
            return parts[0] if parts else NONE
        if sum(len(part.rows) for part in parts) * SPARSE < len(self._scratch):
            return _sorted_union(parts)
        self._scratch[self._laid.rows] = ABSENT
        self._laid = NONE
        for part in parts:
            self._scratch[part.rows] = np.maximum(self._scratch[part.rows], part.scores)
        rows = np.flatnonzero(self._scratch >= 0)
        hits = Hits(rows, self._scratch[rows])
        self._scratch[rows] = ABSENT
        return hits

    def intersection(self, one: Hits, other: Hits) -> Hits:
        """Return what is in both, each with its lower score."""
        if one is other:
            return one
        few, many = (one, other) if len(one.rows) <= len(other.rows) else (other, one)
        found = self._scores_in(many, few.rows)
        lower = np.minimum(few.scores, found)
        both = np.flatnonzero(lower >= 0)
        return Hits(few.rows, lower) if len(both) == len(lower) else Hits(few.rows[both], lower[both])

    def difference(self, one: Hits, other: Hits) -> Hits:
        """Return what is in the first and not in the other."""
        alone = np.flatnonzero(self._scores_in(other, one.rows) < 0)
        return Hits(one.rows[alone], one.scores[alone])

    def _scores_in(self, hits: Hits, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score that each of these rows has among the hits, or ``ABSENT``."""
        if not len(hits.rows):
            return np.full(len(rows), ABSENT)
        if len(rows) * SPARSE < len(hits.rows):
            places = np.minimum(np.searchsorted(hits.rows, rows), len(hits.rows) - 1)
            return np.where(hits.rows[places] == rows, hits.scores[places], ABSENT)
        if hits is not self._laid:
            self._scratch[self._laid.rows] = ABSENT
            self._scratch[hits.rows] = hits.scores
            self._laid = hits
        return self._scratch[rows]


def _sorted_union(parts: Sequence[Hits]) -> Hits:
    rows = np.concatenate([part.rows for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    return Hits(rows[firsts], np.maximum.reduceat(scores[order], firsts)) if len(rows) else NONE
