"""Whether two small pictures show the same photo: cropped, mirrored, padded or recompressed, but not recoloured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

SOURCE = 96  # cells a side of the grid to cut from: as many as the small picture has
FINE, COARSE = 48, 16  # cells a side: of the deciding comparison, and of the one that finds where to compare
_SIDES = (0.96, 0.93, 0.9, 0.87)  # share of each side that a cut leaves
_OFFSETS = (0.0, 0.5, 1.0)  # its position in the whole: start, middle, end
_STEPS = (0.02, 0.01, 0.005, 0.0025)  # by which a cut is moved and resized until nothing improves
_FLATTEST_LEVELS = 4.0  # standard deviation below which pictures cannot be told apart
_MARGIN_LEVELS = 12.0  # the most a margin's pixels differ from their edge: JPEG noise, or a soft shadow
_MARGIN_SHARE = 0.97  # of a line's pixels that must be margin for the line to be
_GROUND_LEVELS = 12.0  # the least a product's cell differs from the border's colour
_RIM = 2  # cells at the edges of the finer comparison to skip
_PATCHES = (4, 8)  # cells a side of the patches whose colours are compared
_PATCH_SHARE = 0.4  # of a patch that must show the product
# All measured: docs/signals.md.
_LEAST_COARSE = 0.9  # below it no cut is refined
_MOST_BEFORE_MOVING = 30.0  # levels of 255 between colours before refinement: more is another thing
LEAST_CORRELATION = 0.91
MOST_COLOUR_SHIFT = 5.9  # levels of 255


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a picture, in shares of its width and height."""

    left: float
    top: float
    width: float
    height: float


_WHOLE = Cut(0, 0, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class PhotoPrint:
    """A small picture, prepared for comparison with others.

    Attributes:
        grids: two of float32 [SOURCE, SOURCE, 3], RGB, 0 to 255: of the whole, and of the part inside its margins.
        targets: float32 [4, COARSE * COARSE * 3]: both, plain and mirrored; each less its mean, at length 1.
        windows: float32 [2 * cuts, COARSE * COARSE * 3]: every candidate cut of both, likewise.
    """

    grids: tuple[Grid, Grid]
    targets: Grid
    windows: Grid

    @classmethod
    def of(cls, small: NDArray[np.uint8]) -> Self:
        """Return the print of a small picture: uint8 [H, W, 3], RGB, uncropped, no side above ``SOURCE``."""
        left, top, right, bottom = _box_inside_margins(small)
        grids = (_grown(small), _grown(small[top:bottom, left:right]))
        return cls(grids, _unit(_coarse_targets(grids)), _unit(_coarse_windows(grids)))


# Pixels confirm what vectors propose: vectors alone match different photos of similar goods (DECISIONS.md, 41).
def is_same_photo(first: PhotoPrint, other: PhotoPrint) -> bool:
    """Return whether both show the same photo: some cut of one matches the other in shape and colour."""
    correlation, shift = likeness(first, other)
    return correlation >= LEAST_CORRELATION and shift <= MOST_COLOUR_SHIFT


def likeness(first: PhotoPrint, other: PhotoPrint) -> tuple[float, float]:
    """Return the best correlation, in [-1, 1], and the difference of the product's colours there, in levels of 255."""
    best = (-1.0, 255.0)
    for left, right in ((first, other), (other, first)):
        correlations = left.windows @ right.targets.T
        window, target = divmod(int(correlations.argmax()), correlations.shape[1])
        if correlations[window, target] < _LEAST_COARSE:
            best = max(best, (float(correlations[window, target]), 255.0))
            continue
        grid, cut = left.grids[window // len(_cuts())], _cuts()[window % len(_cuts())]
        goal = right.grids[target // 2]
        best = max(best, _refined(grid, cut, goal[:, ::-1] if target % 2 else goal))
    return best


def _box_inside_margins(small: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom, in pixels, of the part inside even margins, or of an all-even picture.

    Each side goes by the colour of its own edge. So a photo with white on one side only, and the same photo with
    white added all around, get the same box.
    """
    top, bottom = _margins(small)
    left, right = _margins(small.swapaxes(0, 1))
    height, width = small.shape[:2]
    if top + bottom >= height or left + right >= width:
        return 0, 0, width, height
    return left, top, width - right, height - bottom


def _margins(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the number of even margin lines at the start and at the end."""
    return _margin(lines), _margin(lines[::-1])


def _margin(lines: NDArray[np.uint8]) -> int:
    edge = np.median(lines[0], axis=0)
    is_near = np.abs(lines - edge).max(axis=2) <= _MARGIN_LEVELS
    is_inside = is_near.mean(axis=1) < _MARGIN_SHARE
    return int(is_inside.argmax()) if is_inside.any() else len(lines)


def _grown(levels: NDArray[np.uint8]) -> Grid:
    """Return float32 [SOURCE, SOURCE, 3]: the picture enlarged to a square."""
    height, width = levels.shape[:2]
    rows, columns = _resampling(0, 1, SOURCE, height), _resampling(0, 1, SOURCE, width)
    high = (rows @ levels.reshape(height, -1).astype(np.float32)).reshape(SOURCE, width, 3)
    return np.asarray(np.matmul(columns, high), np.float32)


def _refined(grid: Grid, cut: Cut, goal: Grid) -> tuple[float, float]:
    """Return the greatest likeness of cuts near this one."""
    goal = _cut_out(goal, _WHOLE)
    target = _unit(goal.reshape(1, -1))[0]

    def correlation(cut: Cut) -> float:
        return float(_unit(_cut_out(grid, cut).reshape(1, -1))[0] @ target)

    best = correlation(cut)
    apart = _colour_shift(_cut_out(grid, cut), goal)
    if apart > _MOST_BEFORE_MOVING:
        return best, apart
    for step in _STEPS:
        for moved in _moves(cut, step):
            score = correlation(moved)
            if score > best:
                best, cut = score, moved
    return best, _colour_shift(_cut_out(grid, cut), goal)


def _moves(cut: Cut, step: float) -> Iterator[Cut]:
    for way in (step, -step):
        yield replace(cut, left=cut.left + way)
        yield replace(cut, top=cut.top + way)
        yield replace(cut, left=cut.left - way / 2, width=cut.width + way)
        yield replace(cut, top=cut.top - way / 2, height=cut.height + way)


# A slightly shifted edge cancels out within a patch; another tint does not (DECISIONS.md, 96).
def _colour_shift(first: Grid, other: Grid) -> float:
    """Return by how many levels the colours of at least half of the product's patches differ.

    A patch's differences are added with their signs: if two cuts do not quite align, those of an edge cancel out,
    while another colour shifts a patch one way. A white background proves nothing, so only cells that differ from the
    border in either picture count.
    """
    ring = np.concatenate([other[0], other[-1], other[:, 0], other[:, -1]])
    ground = np.median(ring, axis=0)
    shows = np.maximum(np.abs(first - ground).max(axis=2), np.abs(other - ground).max(axis=2)) > _GROUND_LEVELS
    inner = np.zeros_like(shows)
    inner[_RIM:-_RIM, _RIM:-_RIM] = True  # a cut mixes the rim's pixels with what was cut off
    shows = shows & inner if (shows & inner).any() else inner
    return float(np.mean([_shift_of_patches(first - other, shows, side) for side in _PATCHES]))


def _shift_of_patches(difference: Grid, shows: NDArray[np.bool_], side: int) -> float:
    """Return the median, over square patches of this side, of the largest shift of a channel, in levels."""
    count = FINE // side
    cells = shows.reshape(count, side, count, side).sum(axis=(1, 3))
    sums = (difference * shows[..., None]).reshape(count, side, count, side, 3).sum(axis=(1, 3))
    full = cells >= _PATCH_SHARE * side * side
    full = full if full.any() else cells > 0
    return float(np.median(np.abs(sums[full] / cells[full][:, None]).max(axis=1)))


def _coarse_targets(grids: tuple[Grid, Grid]) -> Grid:
    turned = [way for grid in grids for way in (grid, grid[:, ::-1])]
    return np.stack([_reduced(grid).reshape(-1) for grid in turned])


def _coarse_windows(grids: tuple[Grid, Grid]) -> Grid:
    rows, columns = _matrices()
    cuts = [np.einsum("wij,jkc,wlk->wilc", rows, _reduced(grid), columns, optimize=True) for grid in grids]
    return np.concatenate(cuts).reshape(2 * len(rows), -1).astype(np.float32)


def _reduced(grid: Grid) -> Grid:
    factor = SOURCE // COARSE
    return np.asarray(grid.reshape(COARSE, factor, COARSE, factor, 3).mean(axis=(1, 3)), np.float32)


def _unit(rows: Grid) -> Grid:
    centred = rows - rows.mean(axis=1, keepdims=True)
    least = _FLATTEST_LEVELS * np.sqrt(rows.shape[1])
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), least), np.float32)


def _cut_out(grid: Grid, cut: Cut) -> Grid:
    """Return float32 [FINE, FINE, 3]: every cell the mean of two samples each way, to avoid aliasing."""
    rows = _resampling(cut.top, cut.height, 2 * FINE, SOURCE).reshape(FINE, 2, SOURCE).mean(axis=1)
    columns = _resampling(cut.left, cut.width, 2 * FINE, SOURCE).reshape(FINE, 2, SOURCE).mean(axis=1)
    high = (rows @ grid.reshape(SOURCE, -1)).reshape(FINE, SOURCE, 3)
    return np.asarray(np.matmul(columns, high), np.float32)


@lru_cache(maxsize=1)
def _cuts() -> tuple[Cut, ...]:
    parts = product(_SIDES, _OFFSETS, _OFFSETS)
    return (_WHOLE, *(Cut(x * (1 - side), y * (1 - side), side, side) for side, x, y in parts))


@lru_cache(maxsize=1)
def _matrices() -> tuple[Grid, Grid]:
    """Return the resampling matrices of rows and columns for each cut: two of float32 [cuts, COARSE, COARSE]."""
    rows = [_resampling(cut.top, cut.height, COARSE, COARSE) for cut in _cuts()]
    columns = [_resampling(cut.left, cut.width, COARSE, COARSE) for cut in _cuts()]
    return np.stack(rows), np.stack(columns)


def _resampling(start: float, side: float, samples: int, cells: int) -> Grid:
    """Return float32 [samples, cells]: the matrix that samples a part of a line, linear between cell centres."""
    middles = (np.arange(samples) + 0.5) / samples
    positions = np.clip((start + side * middles) * cells - 0.5, 0, cells - 1)
    lower = np.minimum(positions.astype(np.int64), cells - 2)
    matrix = np.zeros((samples, cells), np.float32)
    matrix[np.arange(samples), lower] = 1 - (positions - lower)
    matrix[np.arange(samples), lower + 1] += positions - lower
    return matrix
