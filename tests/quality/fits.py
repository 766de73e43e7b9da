"""Ways to fit a photo that is not square to a model that sees squares: each gives one or more views of it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from tagging_lambda.image.picture import Picture, model_input
from tagging_lambda.image.preprocess import read_picture

SIDE = 224  # pixels, of the model


def one_view(fit: str, shorter: int = 256):
    """Return a way that gives the model one view."""

    def way(data: bytes, contract) -> list[np.ndarray]:
        return [model_input(_picture(data, fit, SIDE, SIDE, shorter), contract)]

    return way


def along_the_long_side(count: int, shorter: int):
    """Return a way that gives the model several squares along the long side, the outer ones at its ends."""

    def way(data: bytes, contract) -> list[np.ndarray]:
        levels = _whole(data, shorter)
        rows, columns = levels.shape[:2]
        inset = (min(rows, columns) - SIDE) // 2
        views = count if max(rows, columns) - SIDE >= 2 * inset + 8 else 1
        found = []
        for at in range(views):
            along = (max(rows, columns) - SIDE) * (at if views > 1 else 0.5) / max(views - 1, 1)
            top, left = (inset, round(along)) if columns >= rows else (round(along), inset)
            found.append(np.ascontiguousarray(levels[top : top + SIDE, left : left + SIDE]))
        return [model_input(Picture(view, 1, 1, False), contract) for view in found]

    return way


def crop_and_whole(data: bytes, contract) -> list[np.ndarray]:
    """Return the middle, and the whole on white."""
    return [
        model_input(_picture(data, "crop", SIDE, SIDE, 256), contract),
        model_input(_picture(data, "pad", SIDE, SIDE, 256), contract),
    ]


def crop_and_squashed(data: bytes, contract) -> list[np.ndarray]:
    """Return the middle, and the whole with other proportions."""
    return [
        model_input(_picture(data, "crop", SIDE, SIDE, 256), contract),
        model_input(_picture(data, "squash", SIDE, SIDE, 256), contract),
    ]


def _picture(data: bytes, fit: str, width: int, height: int, shorter: int) -> Picture:
    contract = SimpleNamespace(fit=fit, width_pixels=width, height_pixels=height, shorter_side_pixels=shorter)
    return read_picture(data, contract)


def _whole(data: bytes, shorter: int) -> np.ndarray:
    """Return all of the photo, its shorter side at that size: uint8 [H, W, 3], RGB."""
    with Image.open(io.BytesIO(data)) as opened:
        width, height = opened.size  # before it is turned, as the contract is
    scale = shorter / min(width, height)
    return _picture(data, "squash", round(width * scale), round(height * scale), shorter).levels


FITS = {
    "crop": one_view("crop", 256),
    "crop 224": one_view("crop", 224),
    "squash": one_view("squash"),
    "pad": one_view("pad"),
    "2 crops": along_the_long_side(2, 256),
    "3 crops": along_the_long_side(3, 256),
    "2 crops 224": along_the_long_side(2, 224),
    "3 crops 224": along_the_long_side(3, 224),
    "crop + pad": crop_and_whole,
    "crop + squash": crop_and_squashed,
}
