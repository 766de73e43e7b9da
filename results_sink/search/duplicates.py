"""Photos that may be the same, by their vectors and palettes, and the groups that pairs of them make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.nearest import COARSE_DIMENSIONS, VectorIndex, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

BLOCK_ROWS = 2_048  # rows whose products are in memory at once: with as many others 16 MB
_ROUNDING = 1e-4  # by which a product of float32 may differ from the true one


@dataclass(frozen=True, slots=True)
class Likeness:
    """The limits within which two photos may be the same, so that their pixels are compared.

    Attributes:
        least_cosine: of their vectors.
        most_palette_distance: levels of 255, the mean over a palette's numbers.
    """

    least_cosine: float
    most_palette_distance: float


# Measured on photos that were recompressed, halved, cropped, mirrored and padded: docs/signals.md. A crop moves the
# vector of a photo with an uneven ground but hardly its palette; padding in another colour turns the ground to product,
# which moves the palette and hardly the vector. One pair of limits wide enough for both would open far more pairs.
BANDS = (Likeness(0.70, 4.0), Likeness(0.84, 16.0), Likeness(0.88, 34.0))


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
    vectors: NDArray[np.int8], palettes: NDArray[np.uint8], bands: Sequence[Likeness]
) -> Iterator[tuple[int, int]]:
    """Yield the rows of every two photos that may be the same by any of the bands, each pair once, in no order.

    Args:
        vectors: int8 [n, D], one for each photo.
        palettes: uint8 [n, P], ``PhotoFacts.palette`` of each.
        bands: two photos may be the same where they lie within both limits of one of these.

    Exact, in blocks of matrix products, so that memory does not grow with the square of the photos. Two things spare
    most of the work: photos are sorted by a number in which two duplicates cannot differ by more than the palette's
    limit, so that only neighbours are compared; and of those the first dimensions rule out nearly all, with a bound on
    what the others can add. Each band is a pass of its own, so that a wide limit of one does not widen the others.
    """
    if len(vectors) < 2:  # noqa: PLR2004 - there is no pair
        return
    keys = _sort_keys(palettes)
    order = np.argsort(keys, kind="stable")
    photos = _SortedPhotos(
        keys[order], palettes[order].astype(np.int16), VectorIndex.of(vectors[order], COARSE_DIMENSIONS)
    )
    for number, band in enumerate(bands):
        for rows, columns in _pairs_within(photos, band, bands[:number]):
            yield from zip(order[rows].tolist(), order[columns].tolist(), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _SortedPhotos:
    """Photos in the order of their sort keys.

    Attributes:
        keys: float64 [n], ascending.
        palettes: int16 [n, P], so that differences do not wrap.
        index: of the vectors.
    """

    keys: NDArray[np.float64]
    palettes: NDArray[np.int16]
    index: VectorIndex


def _pairs_within(
    photos: _SortedPhotos, band: Likeness, earlier: Sequence[Likeness]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows and columns of the pairs within the band that no earlier band has yielded."""
    vectors = photos.index.vectors
    for first, last in _spans(len(photos.keys)):
        end = int(np.searchsorted(photos.keys, photos.keys[last - 1] + band.most_palette_distance, side="right"))
        for other, other_last in _spans(end, first):
            rows, columns = _candidates(photos.index, slice(first, last), slice(other, other_last), band.least_cosine)
            ahead = rows < columns
            rows, columns = rows[ahead], columns[ahead]
            distances = np.abs(photos.palettes[rows] - photos.palettes[columns]).mean(axis=1)
            near = distances <= band.most_palette_distance
            rows, columns, distances = rows[near], columns[near], distances[near]
            cosines = np.einsum("nd,nd->n", unit_rows(vectors[rows]), unit_rows(vectors[columns]))
            chosen = _is_within(band, cosines, distances)
            for passed in earlier:
                chosen &= ~_is_within(passed, cosines, distances)
            yield rows[chosen], columns[chosen]


def _is_within(band: Likeness, cosines: NDArray[np.float32], distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((cosines >= band.least_cosine) & (distances <= band.most_palette_distance))


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
