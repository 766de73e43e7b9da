"""Photos that look alike: the nearest feature vectors, exactly, among a million in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

COARSE_DIMENSIONS = 96  # of the first look; measured: of a hundred vectors one or two are left to be looked at in full
BLOCK_ROWS = 65_536  # vectors that are in memory as float32 at once: 100 MB at 384 dimensions
SAMPLE_ROWS = 20_000  # of which the axes are computed; more change nothing in how many are left
_ROUNDING = 1e-5  # by which a float32 product may differ from the true one


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Rows of vectors, most alike first.

    Attributes:
        rows: int64 [k].
        cosines: float32 [k], in [-1, 1]; 1 is the same vector.
    """

    rows: NDArray[np.int64]
    cosines: NDArray[np.float32]


def nearest(vectors: NDArray[np.int8], query: NDArray[np.float32], count: int) -> Neighbours:
    """Return the ``count`` vectors nearest to the query by cosine, lower rows first where they are level.

    Args:
        vectors: int8 [n, D]. Their lengths do not matter.
        query: float32 [D], of any length but 0.
        count: at most so many are returned.
    """
    unit = unit_rows(query[None])[0]
    parts = [unit_rows(block) @ unit for _, block in blocks(vectors)]
    cosines = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return _best(np.arange(len(cosines)), cosines, count)


def blocks(vectors: NDArray[np.int8], rows: int = BLOCK_ROWS) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """Yield the vectors so many rows at a time, with the number of the first."""
    for first in range(0, len(vectors), rows):
        yield first, vectors[first : first + rows]


def unit_rows(vectors: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [n, D]: the rows at length 1; rows of zeros stay as they are."""
    wide = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return np.asarray(wide / np.where(lengths == 0, 1, lengths)[:, None], np.float32)


def principal_axes(vectors: NDArray[np.int8], count: int) -> NDArray[np.float32]:
    """Return float32 [D, count]: orthonormal axes that hold most of the vectors' length, the strongest first."""
    step = max(1, len(vectors) // SAMPLE_ROWS)
    sample = unit_rows(vectors[::step])
    _, axes = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(axes[:, ::-1][:, :count], np.float32)


# DECISIONS.md, 42: exact search, as an approximate index would be one more thing to build and to doubt.
@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """Vectors, prepared so that most of them are ruled out by a few of their dimensions.

    What the other dimensions can add to a product is bounded by the product of the lengths that are left (Cauchy and
    Schwarz), so nothing is approximate: what is ruled out cannot be among the nearest.

    Attributes:
        vectors: int8 [n, D].
        axes: float32 [D, C], the axes of the first look.
        coarse: float32 [n, C], the unit vectors along them.
        rest: float32 [n], the length that they leave.
    """

    vectors: NDArray[np.int8]
    axes: NDArray[np.float32]
    coarse: NDArray[np.float32]
    rest: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.int8], dimensions: int = COARSE_DIMENSIONS) -> Self:
        """Return an index over int8 [n, D]; it keeps 4 bytes a coarse dimension and vector beside them."""
        count = min(dimensions, vectors.shape[1])
        axes = principal_axes(vectors, count)
        coarse, rest = np.empty((len(vectors), count), np.float32), np.empty(len(vectors), np.float32)
        for first, block in blocks(vectors):
            units = unit_rows(block)
            coarse[first : first + len(block)] = units @ axes
            own = coarse[first : first + len(block)]
            left = np.einsum("nd,nd->n", units, units) - np.einsum("nd,nd->n", own, own)
            rest[first : first + len(block)] = np.sqrt(left.clip(0))
        return cls(vectors, axes, coarse, rest)

    def nearest(self, query: NDArray[np.float32], count: int) -> Neighbours:
        """Return what ``nearest`` returns of the same vectors, to within rounding."""
        count = min(count, len(self.vectors))
        if count <= 0:
            return Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))
        unit = unit_rows(query[None])[0]
        along = unit @ self.axes
        left = float(np.sqrt(max(0.0, float(unit @ unit) - float(along @ along))))
        most = self.coarse @ along + self.rest * np.float32(left)
        first = np.argpartition(most, len(most) - count)[len(most) - count :]
        bar = self._cosines(first, unit).min()
        rows = np.flatnonzero(most >= bar - _ROUNDING)
        return _best(rows, self._cosines(rows, unit), count)

    def _cosines(self, rows: NDArray[np.int64], unit: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, len(rows), BLOCK_ROWS)
        parts = [unit_rows(self.vectors[rows[first : first + BLOCK_ROWS]]) @ unit for first in starts]
        return np.concatenate(parts)


def _best(rows: NDArray[np.int64], cosines: NDArray[np.float32], count: int) -> Neighbours:
    order = np.lexsort((rows, -cosines))[:count] if len(rows) <= BLOCK_ROWS else _best_of_many(rows, cosines, count)
    return Neighbours(rows[order].astype(np.int64), cosines[order])


def _best_of_many(rows: NDArray[np.int64], cosines: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the order of the first ``count`` without sorting all: those level with the last are let in first."""
    if not 0 < count < len(cosines):
        return np.lexsort((rows, -cosines))[:count]
    bar = np.partition(cosines, len(cosines) - count)[len(cosines) - count]
    inside = np.flatnonzero(cosines >= bar)
    return inside[np.lexsort((rows[inside], -cosines[inside]))[:count]]
