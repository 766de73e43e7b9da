"""Whole photos scaled down: read in the child process, like every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.image.same_photo import PhotoPrint
from tagging_lambda.image.signals import FACTS_SIDE_PIXELS
from tagging_lambda.model_card import WHOLE, InputContract


def small_photo_reader(side_pixels: int) -> ProcessReader:
    """Return a reader of whole photos with at most that many pixels on the longer side."""
    contract = InputContract(
        layout="NCHW",
        width_pixels=side_pixels,
        height_pixels=side_pixels,
        shorter_side_pixels=2 * side_pixels,  # never decoded smaller, so that scaling down keeps detail
        fit=WHOLE,
        colour_order="RGB",
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        name="small",
    )
    return ProcessReader(contract)


@contextmanager
def print_reader() -> Iterator[Callable[[bytes], PhotoPrint]]:
    """Yield a function from a photo's bytes to its print; its reader closes with the context.

    The function raises:
        ImageRejected: the photo cannot be read.
    """
    reader = small_photo_reader(FACTS_SIDE_PIXELS)
    try:
        yield lambda data: PhotoPrint.of(reader.read(data).levels)
    finally:
        reader.close()
