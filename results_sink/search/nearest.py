"""Photos that look alike: the nearest feature vectors, exactly, among a million in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import simsimd

from pipeline.vectors import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from results_sink.search.shared_words import HeadWords

BLOCK_ROWS = 65_536  # vectors held as float32 at once: 100 MB at 384 dimensions
GROUP_ROWS = 64  # of which the highest score is taken, chosen by us
# Measured (docs/signals.md): a smaller share gains less; a larger one hurts where the head knows no word.
WORDS_SHARE = 0.3
_ROUNDING = 1e-5  # the most by which a float32 product is off


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Rows of vectors, most alike first.

    Attributes:
        rows: int64 [k].
        scores: float32 [k], how alike each is, in [-1, 1]; 1 is the same vector.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def blocks(vectors: NDArray[np.int8], rows: int = BLOCK_ROWS) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """Yield the vectors in blocks of ``rows``, each with its first row's number."""
    for first in range(0, len(vectors), rows):
        yield first, vectors[first : first + rows]


def unit_rows(vectors: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [n, D]: the rows scaled to length 1; rows of zeros stay zero."""
    wide = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return np.asarray(wide / np.where(lengths == 0, 1, lengths)[:, None], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Int8Rows:
    """Rows multiplied in int8, without conversion.

    Attributes:
        rows: int8 [n, D].
        inverse_lengths: float64 [n], 0 for a row of zeros.
    """

    rows: NDArray[np.int8]
    inverse_lengths: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.int8]) -> Self:
        squares = [np.einsum("nd,nd->n", block, block, dtype=np.int64) for _, block in blocks(rows)]
        lengths = np.sqrt(np.concatenate(squares)) if squares else np.empty(0)
        return cls(np.ascontiguousarray(rows), np.divide(1, lengths, out=np.zeros(len(lengths)), where=lengths > 0))

    def cosines(self, levels: NDArray[np.int8], inverse_length: float) -> NDArray[np.float64]:
        """Return float64 [n]: the cosines of all rows with int8 [D], given one over its length."""
        products = np.asarray(simsimd.cdist(levels[None], self.rows, "dot"), np.float64)[0]
        return np.asarray(products * (self.inverse_lengths * inverse_length))


@dataclass(frozen=True, slots=True, eq=False)
class _SharedWords:
    """The words that a head gives photos.

    Attributes:
        head: the head with these words.
        levels: of all photos, from `HeadWords.levels`.
    """

    head: HeadWords
    levels: _Int8Rows

    def shared(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 [n]: what each photo's words in common with float32 [D] add to its score."""
        [levels] = self.head.levels(unit[None])
        return WORDS_SHARE * self.levels.cosines(levels, 1 / float(np.linalg.norm(levels.astype(np.float64))))


# DECISIONS.md, 42: exact search: an approximate index is one more thing to build and to doubt.
@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """Vectors stored and compared in int8: a million in milliseconds.

    Likeness is the cosine of two vectors; with the words of a head, ``WORDS_SHARE`` of the score is how far the head
    gives both the same words. A query is rounded to int8 first. The length of the rounding error bounds the change of a
    cosine (Cauchy-Schwarz); whatever may be among the nearest within that bound is compared again with the exact
    query. So the result is exact.

    Attributes:
        vectors: int8 [n, D].
        words: a head's words for the photos; None if no head reads these vectors.
    """

    vectors: _Int8Rows
    words: _SharedWords | None

    @classmethod
    def of(cls, vectors: NDArray[np.int8], words: HeadWords | None = None) -> Self:
        """Return an index over int8 [n, D] of any lengths.

        It adds 8 bytes a vector, and with the words of the built-in head some 100 more.
        """
        if words is None:
            return cls(_Int8Rows.of(vectors), None)
        levels = [words.levels(unit_rows(block)) for _, block in blocks(vectors)] or [np.empty((0, 0), np.int8)]
        return cls(_Int8Rows.of(vectors), _SharedWords(words, _Int8Rows.of(np.concatenate(levels))))

    def nearest(self, query: NDArray[np.float32], count: int) -> Neighbours:
        """Return the ``count`` vectors most like the query, lower rows first on a tie.

        Args:
            query: float32 [D], of any length but 0.
            count: the most rows to return.
        """
        count = min(count, len(self.vectors.rows))
        if count <= 0:
            return Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))
        unit = unit_rows(query[None])[0]
        step = float(np.abs(unit).max()) / LEVELS
        levels = np.rint(unit / step).astype(np.int8)
        looks = 1 - WORDS_SHARE if self.words else 1.0
        shared = self.words.shared(unit) if self.words else np.zeros(len(self.vectors.rows))
        near = looks * self.vectors.cosines(levels, step) + shared
        rounded_away = float(np.linalg.norm(unit - levels * np.float32(step)))
        rows = np.flatnonzero(near >= _near_highest(near, count) - 2 * rounded_away - _ROUNDING)
        return _best(rows, np.asarray(looks * self._cosines(rows, unit) + shared[rows], np.float32), count)

    def _cosines(self, rows: NDArray[np.int64], unit: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, len(rows), BLOCK_ROWS)
        picked = (self.vectors.rows[rows[first : first + BLOCK_ROWS]] for first in starts)
        return np.concatenate([unit_rows(vectors) @ unit for vectors in picked])


# DECISIONS.md, 167: partitioning all scores took a quarter of the search of a million.
def _near_highest(scores: NDArray[np.float64], count: int) -> float:
    """Return a score that at least ``count`` of the scores reach, and few more: by the highest of each group."""
    highest = np.maximum.reduceat(scores, np.arange(0, len(scores), GROUP_ROWS))
    return float(np.partition(highest, len(highest) - count)[len(highest) - count]) if count <= len(highest) else -1.0


def _best(rows: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> Neighbours:
    if count < len(scores):  # not all are sorted; ties with the last are kept first
        is_inside = scores >= np.partition(scores, len(scores) - count)[len(scores) - count]
        rows, scores = rows[is_inside], scores[is_inside]
    order = np.lexsort((rows, -scores))[:count]
    return Neighbours(rows[order].astype(np.int64), scores[order])
