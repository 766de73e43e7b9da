"""Cuts garments out of photos taken at home and puts them on white, as a shop would show them.

The starter head learns from clothes on beds and floors, and must recognise them on white. Of 993 packshots of another
shop, it named 67 in 100 garments correctly when trained on cut-outs as well, and 52 in 100 without them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from tagging_lambda.image.subject import MARGIN, SubjectBox

# Chosen by looking at 400 cut-outs: with these, 69 in 100 garments are cut out whole (DECISIONS.md, 32).
SMALL_SIDE_PIXELS = 128  # of the shorter side of the picture searched for the garment
TOLERANCE_LEVELS = 36  # higher than for shop photos: beds and floors have folds and grain
LEAST_EVENNESS = 0.6
LEAST_SHARE, MOST_SHARE = 0.12, 0.8  # of the picture that a garment covers
LEAST_FILL = 0.45  # of its own box: less is a shadow's edge, not a garment
MOST_TOUCHING = 0.25  # of the picture's edge that the garment may cover
WHITE = (255, 255, 255)


def cut_out(rgb: Image.Image) -> tuple[Image.Image, SubjectBox] | None:
    """Return the garment on white and the box around it; None if it cannot be told from its background."""
    factor = max(1, min(rgb.size) // SMALL_SIDE_PIXELS)
    garment = _garment(np.asarray(rgb.reduce(factor) if factor > 1 else rgb).astype(np.int16))
    if garment is None:
        return None
    mask = Image.fromarray(garment.astype(np.uint8) * 255).resize(rgb.size, Image.Resampling.BICUBIC)
    white = Image.new("RGB", rgb.size, WHITE)
    white.paste(rgb, mask=mask.filter(ImageFilter.GaussianBlur(1.5)))
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    height, width = garment.shape
    margin = MARGIN * max(len(rows), len(columns))
    across, down = rgb.width / width, rgb.height / height
    box = SubjectBox(
        max(0.0, columns[0] - margin) * across,
        max(0.0, rows[0] - margin) * down,
        min(float(width), columns[-1] + 1 + margin) * across,
        min(float(height), rows[-1] + 1 + margin) * down,
    )
    return white, box


def _garment(small: NDArray[np.int16]) -> NDArray[np.bool_] | None:
    """Return bool [H, W]: the largest region unlike the border of int16 [H, W, 3]; None if it is no garment."""
    border = np.concatenate([side.reshape(-1, 3) for side in (small[:2], small[-2:], small[:, :2], small[:, -2:])])
    colour = np.median(border, axis=0)
    if (np.abs(border - colour).max(axis=1) <= TOLERANCE_LEVELS).mean() < LEAST_EVENNESS:
        return None
    differs = np.abs(small - colour).max(axis=2) > TOLERANCE_LEVELS
    whole = ndimage.binary_fill_holes(ndimage.binary_closing(ndimage.binary_opening(differs), iterations=3))
    parts, count = ndimage.label(whole)
    if not count:
        return None
    garment = np.asarray(parts == 1 + np.argmax(ndimage.sum(whole, parts, range(1, count + 1))))
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    fill = garment.sum() / ((rows[-1] + 1 - rows[0]) * (columns[-1] + 1 - columns[0]))
    touching = np.concatenate([garment[0], garment[-1], garment[:, 0], garment[:, -1]]).mean()
    is_whole = LEAST_SHARE < garment.mean() < MOST_SHARE and fill >= LEAST_FILL and touching <= MOST_TOUCHING
    return garment if is_whole else None


def shop_view(rgb: Image.Image, side_pixels: int) -> Image.Image | None:
    """Return the garment on white as the product would see it, a square of this side; None if it has no mask."""
    garment = cut_out(rgb)
    if garment is None:
        return None
    white, box = garment
    shorter = min(box.right - box.left, box.bottom - box.top)
    return _square(white, (box.left + box.right) / 2, (box.top + box.bottom) / 2, shorter, side_pixels)


def _square(picture: Image.Image, x: float, y: float, side: float, side_pixels: int) -> Image.Image:
    """Return the square around a point, moved into the picture if it fits; white beyond the picture."""
    left = _within(x - side / 2, side, picture.width)
    top = _within(y - side / 2, side, picture.height)
    box = tuple(round(edge) for edge in (left, top, left + side, top + side))
    ground = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), WHITE)
    ground.paste(picture, (-box[0], -box[1]))
    return ground.resize((side_pixels, side_pixels), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _within(start: float, length: float, whole: float) -> float:
    return min(max(start, 0.0), whole - length) if length <= whole else start
