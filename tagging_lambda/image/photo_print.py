"""Prints of photos: read in the child process, as every picture is, and small enough for hundreds in memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.image.same_photo import PhotoPrint
from tagging_lambda.image.signals import FACTS_SIDE_PIXELS
from tagging_lambda.model_card import InputContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tagging_lambda.image.picture import Picture


@contextmanager
def print_reader() -> Iterator[Callable[[bytes], PhotoPrint]]:
    """Give a function from a photo's bytes to its print; its reader ends with the context.

    The function raises:
        ImageRejected: the photo cannot be read.
    """
    side = FACTS_SIDE_PIXELS
    contract = InputContract(
        layout="NCHW",
        width_pixels=side,
        height_pixels=side,
        shorter_side_pixels=2 * side,  # a photo is decoded no smaller, so that making it small keeps its detail
        fit="pad",
        colour_order="RGB",
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        name="print",
    )
    reader = ProcessReader(contract)
    try:
        yield lambda data: PhotoPrint.of(_without_padding(reader.read(data)))
    finally:
        reader.close()


def _without_padding(picture: Picture) -> NDArray[np.uint8]:
    """Return the picture without the white that brought it to a square."""
    side = max(picture.levels.shape[:2])
    scale = side / max(picture.width_pixels, picture.height_pixels)
    width, height = max(1, round(picture.width_pixels * scale)), max(1, round(picture.height_pixels * scale))
    left, top = (side - width) // 2, (side - height) // 2
    return picture.levels[top : top + height, left : left + width]
