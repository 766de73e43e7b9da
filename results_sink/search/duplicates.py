"""Photos that may be the same, by their vectors and palettes, and the groups that pairs of them make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.nearest import COARSE_DIMENSIONS, VectorIndex, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

# Both let through nearly all photos that were recompressed, halved, cut, mirrored or padded: docs/signals.md.
LEAST_COSINE = 0.84  # of two vectors of the same photo
MOST_PALETTE_DISTANCE = 14.0  # levels of 255, the mean over a palette's numbers
BLOCK_ROWS = 2_048  # rows whose products are in memory at once: with as many others 16 MB
_ROUNDING = 1e-4  # by which a product of float32 may differ from the true one


@dataclass(frozen=True, slots=True)
class Likeness:
    """From when two photos may be the same, so that their pixels are compared."""

    least_cosine: float = LEAST_COSINE
    most_palette_distance: float = MOST_PALETTE_DISTANCE


def groups_of(pairs: Iterable[tuple[int, int]], count: int) -> list[tuple[int, ...]]:
    """Return the rows that pairs join, of so many rows: each group ascending, the groups by their first row."""
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
        parents[row] = parents[parents[row]]  # halve the way for whoever comes next
        row = parents[row]
    return row


def duplicate_pairs(
    vectors: NDArray[np.int8], palettes: NDArray[np.uint8], likeness: Likeness
) -> Iterator[tuple[int, int]]:
    """Yield the rows of every two photos that may be the same, each pair once, in no order.

    Args:
        vectors: int8 [n, D], one for each photo.
        palettes: uint8 [n, P], ``PhotoFacts.palette`` of each.
        likeness: from when two photos may be the same.

    Exact, in blocks of matrix products, so that memory does not grow with the square of the photos. Two things spare
    most of the work: photos are sorted by a number that two duplicates cannot differ in by more than the palette's
    limit, so that only neighbours are compared; and of those the first dimensions rule out nearly all, with a bound on
    what the others can add.
    """
    if len(vectors) < 2:  # noqa: PLR2004 - there is no pair
        return
    keys = _sort_keys(palettes)
    order = np.argsort(keys, kind="stable")
    keys, sorted_palettes = keys[order], palettes[order].astype(np.int16)
    index = VectorIndex.of(vectors[order], COARSE_DIMENSIONS)
    for first, last in _spans(len(order)):
        end = int(np.searchsorted(keys, keys[last - 1] + likeness.most_palette_distance, side="right"))
        for other, other_last in _spans(end, first):
            rows, columns = _candidates(index, slice(first, last), slice(other, other_last), likeness.least_cosine)
            ahead = rows < columns
            rows, columns = rows[ahead], columns[ahead]
            apart = np.abs(sorted_palettes[rows] - sorted_palettes[columns]).mean(axis=1)
            near = apart <= likeness.most_palette_distance
            rows, columns = rows[near], columns[near]
            cosines = np.einsum("nd,nd->n", unit_rows(index.vectors[rows]), unit_rows(index.vectors[columns]))
            same = cosines >= likeness.least_cosine
            yield from zip(order[rows[same]].tolist(), order[columns[same]].tolist(), strict=True)


def _sort_keys(palettes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return a number for each palette: two numbers differ by no more than the mean difference of their palettes.

    It is a mean of the palette's numbers, each taken with the sign that spreads the photos most.
    """
    wide = palettes.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    signs = np.where(axes[:, -1] < 0, -1.0, 1.0)
    return np.asarray((wide * signs).mean(axis=1))


def _spans(end: int, begin: int = 0) -> Iterator[tuple[int, int]]:
    for first in range(begin, end, BLOCK_ROWS):
        yield first, min(first + BLOCK_ROWS, end)


def _candidates(
    index: VectorIndex, left: slice, right: slice, least_cosine: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of the pairs whose cosine may reach the limit."""
    most = index.coarse[left] @ index.coarse[right].T
    # The product of two lengths is at most the mean of their squares, which is added without another matrix.
    most += (index.rest[left] ** 2 / 2)[:, None]
    rows, columns = np.nonzero(most >= np.float32(least_cosine - _ROUNDING) - (index.rest[right] ** 2 / 2)[None])
    return rows + left.start, columns + right.start
