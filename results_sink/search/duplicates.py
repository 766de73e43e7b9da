"""Photos that may be the same: nearest neighbours by vector, and the groups that pairs form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.nearest import SAMPLE_ROWS, blocks, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

NEIGHBOURS = 8  # of a photo, compared pixel by pixel; measured: docs/signals.md
LEAST_COSINE = 0.6  # below it pixels are not compared; a photo padded in black still has this much
LEAF_ROWS = 2_000  # the most photos of a leaf, chosen by us: 2 MB of vectors at float32
PROBED_LEAVES = 16  # searched for each photo: all of them up to 32,000 photos, so exactly
BLOCK_ROWS = 256  # photos compared at once: with 32,000 others 33 MB of cosines


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

    Photos are sorted into leaves of a tree that halves them along the axis on which they differ most. A photo is
    compared with those of the leaves nearest to its own, in blocks of matrix products: memory grows with the photos,
    and so does time. Pairs of a leaf follow each other, so that a caller opens few photos twice.
    """
    if len(vectors) < 2:  # noqa: PLR2004 - no pair
        return
    leaves = list(_leaves(vectors, np.arange(len(vectors))))
    order = np.concatenate(leaves)
    pairs = _neighbour_pairs(vectors[order], _spans_of(leaves))
    for first, other in pairs:
        yield int(order[first]), int(order[other])


def _leaves(vectors: NDArray[np.int8], rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each leaf, neighbouring leaves next to each other."""
    if len(rows) <= LEAF_ROWS:
        yield rows
        return
    inside = vectors[rows]
    axis = _widest_axis(inside)
    along = np.concatenate([unit_rows(block) @ axis for _, block in blocks(inside)])
    ordered, half = rows[np.argsort(along, kind="stable")], len(rows) // 2
    yield from _leaves(vectors, ordered[:half])
    yield from _leaves(vectors, ordered[half:])


def _widest_axis(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return float32 [D]: the direction in which a sample of the unit vectors varies most."""
    sample = unit_rows(vectors[:: max(1, len(vectors) // SAMPLE_ROWS)])
    centred = sample - sample.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(axes[:, -1], np.float32)


def _spans_of(leaves: Sequence[NDArray[np.int64]]) -> list[slice]:
    ends = np.cumsum([len(leaf) for leaf in leaves]).tolist()
    return [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _neighbour_pairs(vectors: NDArray[np.int8], leaves: Sequence[slice]) -> Iterator[tuple[int, int]]:
    """Yield each pair once, the lower row first, in ascending order."""
    count = len(vectors)
    codes = np.concatenate([_pair_codes(rows, others, count) for rows, others in _neighbours(vectors, leaves)])
    for code in np.unique(codes).tolist():
        yield divmod(code, count)


def _pair_codes(rows: NDArray[np.int64], others: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.minimum(rows, others) * count + np.maximum(rows, others)


def _neighbours(
    vectors: NDArray[np.int8], leaves: Sequence[slice]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield, block by block, rows and a most alike row of each."""
    centres = unit_rows(np.stack([unit_rows(vectors[leaf]).mean(axis=0) for leaf in leaves]))
    probed = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :PROBED_LEAVES]
    for leaf, near in zip(leaves, probed.tolist(), strict=True):
        others = np.concatenate([np.arange(leaves[number].start, leaves[number].stop) for number in near])
        units = unit_rows(vectors[others])
        for first in range(leaf.start, leaf.stop, BLOCK_ROWS):
            block = np.arange(first, min(first + BLOCK_ROWS, leaf.stop))
            rows, columns = _most_alike(unit_rows(vectors[block]) @ units.T)
            is_pair = block[rows] != others[columns]
            yield block[rows][is_pair], others[columns][is_pair]


def _most_alike(cosines: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of the highest cosines of each row, including its own."""
    wanted = min(NEIGHBOURS + 1, cosines.shape[1])
    columns = np.argpartition(cosines, cosines.shape[1] - wanted, axis=1)[:, -wanted:]
    is_alike = np.take_along_axis(cosines, columns, 1) >= LEAST_COSINE
    rows = np.broadcast_to(np.arange(len(cosines))[:, None], columns.shape)
    return rows[is_alike], columns[is_alike]
