"""Photos that may be the same: nearest neighbours by vector, and the groups that pairs form."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from results_sink.search.nearest import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

NEIGHBOURS = 8  # of a photo, compared pixel by pixel; measured: docs/signals.md
LEAST_COSINE = 0.6  # below it pixels are not compared; a photo padded in black still has this much
LIST_ROWS = 1_000  # photos of a list on average, chosen by us
PROBED_LISTS = 32  # searched for each photo: all of them up to 32,000 photos, so exactly
SAMPLED_ROWS = 32  # for each centre, from which centres are computed
ROUNDS = 4  # of k-means, chosen by us; lists around photos taken at random lost almost four times as many copies
BLOCK_ROWS = 1_024  # photos compared at once with as many others: 4 MB of cosines


def groups_of(
    pairs: Iterable[tuple[int, int]], count: int, are_same: Callable[[int, int], bool]
) -> list[tuple[int, ...]]:
    """Return the groups of rows that pairs join: each group ascending, groups ordered by first row.

    Args:
        pairs: of rows that may be the same.
        count: the number of rows.
        are_same: decides on a pair; not called if other pairs have joined the two already.
    """
    parents = list(range(count))
    for left, right in pairs:
        first, other = sorted((_root(parents, left), _root(parents, right)))
        if first != other and are_same(left, right):
            parents[other] = first
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
    order, rows = _search(vectors)
    for first, other in _pairs(rows):
        yield int(order[first]), int(order[other])


def _centres(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return float32 [lists, D], each of length 1: k-means of a sample, by cosine."""
    count = -(-len(vectors) // LIST_ROWS)
    sample = unit_rows(vectors[:: max(1, len(vectors) // (count * SAMPLED_ROWS))])
    centres = sample[:: len(sample) // count][:count]
    for _ in range(ROUNDS):
        sums = np.zeros_like(centres)
        for first in range(0, len(sample), BLOCK_ROWS):
            block = sample[first : first + BLOCK_ROWS]
            np.add.at(sums, (block @ centres.T).argmax(axis=1), block)
        centres = unit_rows(sums)
    return centres


def _nearest_centres(vectors: NDArray[np.int8], centres: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return int32 [n, lists]: the numbers of the ``PROBED_LISTS`` nearest centres of each row, nearest first."""
    cosines = unit_rows(vectors) @ centres.T
    columns = _highest(cosines, min(PROBED_LISTS, len(centres)))
    by_cosine = np.argsort(-np.take_along_axis(cosines, columns, 1), axis=1, kind="stable")
    return np.take_along_axis(columns, by_cosine, 1).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class _MostAlike:
    """The most alike rows of each row so far, in no order; itself is one of them.

    Attributes:
        vectors: int8 [n, D].
        cosines: float32 [n, NEIGHBOURS + 1].
        rows: int32 [n, NEIGHBOURS + 1]; -1 where there is none.
    """

    vectors: NDArray[np.int8]
    cosines: NDArray[np.float32]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: NDArray[np.int8]) -> Self:
        shape = (len(vectors), NEIGHBOURS + 1)
        return cls(vectors, np.full(shape, LEAST_COSINE, np.float32), np.full(shape, -1, np.int32))

    def compare(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        """Compare each of the rows with each of the others."""
        for first in range(0, len(others), BLOCK_ROWS):
            block = others[first : first + BLOCK_ROWS]
            units = unit_rows(self.vectors[block])
            for begin in range(0, len(rows), BLOCK_ROWS):
                visitors = rows[begin : begin + BLOCK_ROWS]
                self._keep_highest(visitors, block, unit_rows(self.vectors[visitors]) @ units.T)

    def _keep_highest(self, rows: NDArray[np.int64], others: NDArray[np.int64], cosines: NDArray[np.float32]) -> None:
        is_higher = cosines.max(axis=1) > self.cosines[rows].min(axis=1)  # of few rows after the first lists
        rows = rows[is_higher]
        cosines = np.concatenate([self.cosines[rows], cosines[is_higher]], axis=1)
        numbers = np.concatenate([self.rows[rows], np.broadcast_to(others, (len(rows), len(others)))], axis=1)
        columns = _highest(cosines, self.cosines.shape[1])
        self.cosines[rows] = np.take_along_axis(cosines, columns, 1)
        self.rows[rows] = np.take_along_axis(numbers, columns, 1)


def _search(vectors: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the rows in the order of their lists, int64 [n], and the most alike of each: `_MostAlike.rows`."""
    centres = _centres(vectors)
    starts = range(0, len(vectors), BLOCK_ROWS)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # numpy computes in several threads at once
        blocks = pool.map(lambda first: _nearest_centres(vectors[first : first + BLOCK_ROWS], centres), starts)
        probed = np.concatenate(list(blocks))
        order = np.lexsort(probed.T[2::-1])  # by the nearest three, so that what is alike lies close together
        probed, most_alike = probed[order], _MostAlike.of(vectors[order])
        lists = _rows_by_number(probed[:, 0], len(centres))
        for numbers in probed.T:  # a row probes one list at a time, so that no two threads write to it
            for _ in pool.map(most_alike.compare, _rows_by_number(numbers, len(centres)), lists):
                pass
    return order, most_alike.rows


def _rows_by_number(numbers: NDArray[np.int32], count: int) -> list[NDArray[np.int64]]:
    """Return the rows that have each number below the count."""
    rows = np.argsort(numbers, kind="stable")
    return np.split(rows, np.searchsorted(numbers[rows], np.arange(1, count)))


def _highest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return int64 [n, count]: the columns of the highest scores of each row, in no order."""
    return np.argpartition(scores, scores.shape[1] - count, axis=1)[:, -count:]


def _pairs(rows: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """Yield each pair of `_MostAlike.rows` once, the lower row first, in ascending order."""
    count = len(rows)
    numbers = np.arange(count)[:, None]
    codes = np.minimum(rows, numbers)
    codes *= count  # in place, because there are nine for each row
    codes += np.maximum(rows, numbers)
    codes = codes[(rows >= 0) & (rows != numbers)]
    codes.sort()
    codes = codes[np.diff(codes, prepend=-1) > 0]  # numpy's unique builds a hash table of several times this size
    for first in range(0, len(codes), BLOCK_ROWS):  # a list of all would take as much memory as the vectors
        for code in codes[first : first + BLOCK_ROWS].tolist():
            yield divmod(code, count)
