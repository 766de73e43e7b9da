"""Finds the subject of a photo: what differs from an even border."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Chosen on 993 packshots, 2,594 photos of goods, 250 of ImageNet and 4,723 of clothes laid flat: with these, nearly all
# packshots, half of the goods and a fifth of ImageNet's photos get a box (DECISIONS.md, 30).
SMALL_SIDE_PIXELS = 96  # of the shorter side of the picture searched for the subject
TOLERANCE_LEVELS = 24  # by which a channel may differ from the border's median colour
LEAST_EVENNESS = 0.7  # the share of the border within the tolerance; the subject may touch the border
LEAST_SHARE = 0.02  # of a row or column that must differ; less is dust or noise
MARGIN = 0.06  # of the longer side of the box, added on each side


class SubjectBox(NamedTuple):
    """A box in pixels; the right and bottom edges are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, across: float, down: float) -> SubjectBox:
        """Return the box in a picture that many times as wide and as high."""
        return SubjectBox(self.left * across, self.top * down, self.right * across, self.bottom * down)


def find_subject(small: NDArray[np.uint8]) -> SubjectBox | None:
    """Return the box around what stands out from an even border, with a margin; None if the border is not even.

    Args:
        small: uint8 [H, W, 3], RGB: the whole picture, its shorter side near `SMALL_SIDE_PIXELS`.
    """
    differs = _differing(small)
    if differs is None:
        return None
    height, width = differs.shape
    rows = np.flatnonzero(np.count_nonzero(differs, axis=1) > LEAST_SHARE * width)
    columns = np.flatnonzero(np.count_nonzero(differs, axis=0) > LEAST_SHARE * height)
    if not len(rows) or not len(columns):
        return None
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    margin = MARGIN * max(bottom - top, right - left)
    return SubjectBox(
        max(0.0, left - margin), max(0.0, top - margin), min(width, right + margin), min(height, bottom + margin)
    )


def _differing(small: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Return bool [H, W]: where the picture differs from its border; None if the border is not even.

    Args:
        small: uint8 [H, W, 3], RGB.
    """
    border = np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]]).astype(np.int16)
    # The upper median, as np.median costs three times as much.
    colour = np.partition(border, len(border) // 2, axis=0)[len(border) // 2]
    near = np.abs(border - colour).max(axis=1) <= TOLERANCE_LEVELS
    if near.mean() < LEAST_EVENNESS:
        return None
    # Channel by channel: the whole difference at once would be three times as large and as slow.
    differs = np.zeros(small.shape[:2], bool)
    for channel in range(3):
        plane = small[..., channel].astype(np.int16)
        differs |= np.abs(plane - colour[channel]) > TOLERANCE_LEVELS
    return differs
