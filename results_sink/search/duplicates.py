"""Photos that may be the same: nearest neighbours by vector, and the groups that pairs form."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from results_sink.search.nearest import blocks, cores, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

_Part = TypeVar("_Part")

NEIGHBOURS = 8  # of a photo, compared pixel by pixel; measured: docs/signals.md
LEAST_COSINE = 0.6  # below it pixels are not compared; a photo padded in black still has this much
LIST_ROWS = 1_000  # photos of a list on average, chosen by us
PROBED_LISTS = 32  # searched for each photo: all of them up to 32,000 photos, so exactly
SAMPLED_ROWS = 32  # for each centre, from which centres are computed
ROUNDS = 4  # of k-means: measured, a fifth changes nothing
BLOCK_ROWS = 1_024  # photos compared at once with as many others: 4 MB of cosines


def groups_of(pairs: Iterable[tuple[int, int]], count: int) -> list[tuple[int, ...]]:
    """Return the groups of rows that pairs join: each group ascending, groups ordered by first row."""
    parents = list(range(count))
    for left, right in pairs:
        roots = sorted((_root(parents, left), _root(parents, right)))
        parents[roots[1]] = roots[0]
    groups: dict[int, list[int]] = {}
    for row in range(len(parents)):
        groups.setdefault(_root(parents, row), []).append(row)
    return [tuple(rows) for rows in groups.values() if len(rows) > 1]


def _root(parents: list[int], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]  # path halving
        row = parents[row]
    return row


# DECISIONS.md, 95: neighbours grow linearly with the photos; pairs above a likeness grow quadratically.
def alike_pairs(vectors: NDArray[np.int8]) -> Iterator[tuple[int, int]]:
    """Yield each pair of rows of which one is among the ``NEIGHBOURS`` most alike of the other, once.

    Args:
        vectors: int8 [n, D], one for each photo.

    Photos are sorted into lists, each around a centre. A photo is compared with those of the lists whose centres are
    nearest to it, in blocks of matrix products: memory grows with the photos, and so does time. Pairs of a list follow
    each other, so that a caller opens few photos twice.
    """
    if len(vectors) < 2:  # noqa: PLR2004 - no pair
        return
    probed = _nearest_centres(vectors, _centres(vectors))
    order = np.lexsort(probed.T[2::-1])  # by the nearest three, so that what is alike lies close together
    best = _Best.of(len(vectors))
    _search(vectors[order], probed[order], best)
    for first, other in best.pairs():
        yield int(order[first]), int(order[other])


def _centres(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return float32 [lists, D], each of length 1: k-means of a sample, by cosine."""
    count = -(-len(vectors) // LIST_ROWS)
    sample = unit_rows(vectors[:: max(1, len(vectors) // (count * SAMPLED_ROWS))])
    centres = sample[:: len(sample) // count][:count]
    for _ in range(ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, (sample @ centres.T).argmax(axis=1), sample)
        centres = unit_rows(sums)
    return centres


def _nearest_centres(vectors: NDArray[np.int8], centres: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return int32 [n, lists]: the numbers of the ``PROBED_LISTS`` nearest centres of each row, nearest first."""
    nearest = np.empty((len(vectors), min(PROBED_LISTS, len(centres))), np.int32)

    def fill(block: tuple[int, NDArray[np.int8]]) -> None:
        first, rows = block
        cosines = unit_rows(rows) @ centres.T
        columns = _highest(cosines, nearest.shape[1])
        by_cosine = np.argsort(-np.take_along_axis(cosines, columns, 1), axis=1, kind="stable")
        nearest[first : first + len(rows)] = np.take_along_axis(columns, by_cosine, 1)

    _on_all_cores(fill, blocks(vectors, BLOCK_ROWS))
    return nearest


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The most alike rows of each row so far, in no order; itself is one of them.

    Attributes:
        cosines: float32 [n, NEIGHBOURS + 1].
        rows: int32 [n, NEIGHBOURS + 1]; -1 where there is none.
    """

    cosines: NDArray[np.float32]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, count: int) -> _Best:
        shape = (count, NEIGHBOURS + 1)
        return cls(np.full(shape, LEAST_COSINE, np.float32), np.full(shape, -1, np.int32))

    def add(self, rows: NDArray[np.int64], cosines: NDArray[np.float32], others: NDArray[np.int32]) -> None:
        """Keep the best of what is known of the rows and of float32 [rows, others]."""
        is_better = cosines.max(axis=1) > self.cosines[rows].min(axis=1)  # few are after the first lists
        rows, cosines = rows[is_better], cosines[is_better]
        cosines = np.concatenate([self.cosines[rows], cosines], axis=1)
        numbers = np.concatenate([self.rows[rows], np.broadcast_to(others, (len(rows), len(others)))], axis=1)
        columns = _highest(cosines, self.cosines.shape[1])
        self.cosines[rows] = np.take_along_axis(cosines, columns, 1)
        self.rows[rows] = np.take_along_axis(numbers, columns, 1)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield each pair once, the lower row first, in ascending order."""
        count = len(self.rows)
        rows, columns = np.nonzero((self.rows >= 0) & (self.rows != np.arange(count)[:, None]))
        others = self.rows[rows, columns]
        for code in np.unique(np.minimum(rows, others) * count + np.maximum(rows, others)).tolist():
            yield divmod(code, count)


def _search(vectors: NDArray[np.int8], probed: NDArray[np.int32], best: _Best) -> None:
    """Compare each row with those of the lists that it probes; rows are in the order of their own lists.

    A row probes one list at a time, so that the threads never write to the same row.
    """
    numbers = np.arange(probed[:, 0].max() + 2)
    lists = np.searchsorted(probed[:, 0], numbers)
    for rank in range(probed.shape[1]):
        visitors = np.argsort(probed[:, rank], kind="stable")
        visits = np.searchsorted(probed[visitors, rank], numbers)

        def compare(number: int, visitors: NDArray[np.int64] = visitors, visits: NDArray[np.int64] = visits) -> None:
            for first in range(lists[number], lists[number + 1], BLOCK_ROWS):
                others = np.arange(first, min(first + BLOCK_ROWS, lists[number + 1]), dtype=np.int32)
                units = unit_rows(vectors[others])
                for begin in range(visits[number], visits[number + 1], BLOCK_ROWS):
                    rows = visitors[begin : min(begin + BLOCK_ROWS, visits[number + 1])]
                    best.add(rows, unit_rows(vectors[rows]) @ units.T, others)

        _on_all_cores(compare, range(len(numbers) - 1))


def _highest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return int64 [n, count]: the columns of the highest scores of each row, in no order."""
    return np.argpartition(scores, scores.shape[1] - count, axis=1)[:, -count:]


def _on_all_cores(work: Callable[[_Part], None], parts: Iterable[_Part]) -> None:
    """Do the work on each part; numpy computes in several threads at once."""
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(work, parts):
            pass
