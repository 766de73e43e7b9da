"""Whether two small pictures are of the same photo: cut, mirrored, padded or recompressed, but not another colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GRID = 24  # cells a side in which two pictures are compared; chosen by us: shirts of one cut differ at it
_SIDES = (0.96, 0.93, 0.9, 0.87)  # of what a cut leaves of each side
_OFFSETS = (0.0, 0.5, 1.0)  # where in the whole it lies: at the start, in the middle, at the end
_FLATTEST_LEVELS = 4.0  # a standard deviation below which nothing can be told apart
# Both measured: docs/signals.md.
LEAST_CORRELATION = 0.92
MOST_COLOUR_DISTANCE = 11.0  # levels of 255, the mean over all cells and channels


@dataclass(frozen=True, slots=True, eq=False)
class PhotoPrint:
    """A small picture, prepared to be held against others.

    Attributes:
        targets: float32 [T, GRID * GRID * 3], RGB, 0 to 255: the whole and what lies inside its margins, also mirrored.
        windows: float32 [W, GRID * GRID * 3]: every cut of the two that is tried.
        unit_targets: float32 [T, ...], each less its mean, at length 1.
        unit_windows: float32 [W, ...], likewise.
    """

    targets: NDArray[np.float32]
    windows: NDArray[np.float32]
    unit_targets: NDArray[np.float32]
    unit_windows: NDArray[np.float32]

    @classmethod
    def of(cls, grids: Sequence[NDArray[np.float32]]) -> Self:
        """Return the print of float32 [GRID, GRID, 3] grids: of the whole, and of what lies inside its margins."""
        rows, columns = _cuts()
        cuts = [np.einsum("wij,jkc,wlk->wilc", rows, grid, columns, optimize=True) for grid in grids]
        windows = np.concatenate(cuts).reshape(len(rows) * len(grids), -1).astype(np.float32)
        targets = np.stack([turned for grid in grids for turned in (grid, grid[:, ::-1])]).reshape(2 * len(grids), -1)
        return cls(targets, windows, _unit(targets), _unit(windows))


def is_same_photo(one: PhotoPrint, other: PhotoPrint) -> bool:
    """Return whether the two are of the same photo: some cut of one shows what the other does, in its colours."""
    correlation, distance = likeness(one, other)
    return correlation >= LEAST_CORRELATION and distance <= MOST_COLOUR_DISTANCE


def likeness(one: PhotoPrint, other: PhotoPrint) -> tuple[float, float]:
    """Return the best correlation, in [-1, 1], and how far the colours are apart there, in levels of 255."""
    best = (-1.0, 255.0)
    for left, right in ((one, other), (other, one)):
        correlations = left.unit_windows @ right.unit_targets.T
        window, target = np.unravel_index(int(correlations.argmax()), correlations.shape)
        distance = float(np.abs(left.windows[window] - right.targets[target]).mean())
        best = max(best, (float(correlations[window, target]), distance))
    return best


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    least = _FLATTEST_LEVELS * np.sqrt(rows.shape[1])
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), least), np.float32)


@lru_cache(maxsize=1)
def _cuts() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices that resample rows and columns for each cut: two of float32 [W, GRID, GRID]."""
    whole = _resampling(0.0, 1.0)
    pairs = [(whole, whole)]
    for side, down, across in product(_SIDES, _OFFSETS, _OFFSETS):
        pairs.append((_resampling(down * (1 - side), side), _resampling(across * (1 - side), side)))
    return np.stack([rows for rows, _ in pairs]), np.stack([columns for _, columns in pairs])


def _resampling(start: float, side: float) -> NDArray[np.float32]:
    """Return float32 [GRID, GRID]: what takes a part of a line of cells to a whole line, linear between cells."""
    middles = (np.arange(GRID) + 0.5) / GRID
    positions = np.clip((start + side * middles) * GRID - 0.5, 0, GRID - 1)
    lower = np.minimum(positions.astype(np.int64), GRID - 2)
    matrix = np.zeros((GRID, GRID), np.float32)
    matrix[np.arange(GRID), lower] = 1 - (positions - lower)
    matrix[np.arange(GRID), lower + 1] += positions - lower
    return matrix
