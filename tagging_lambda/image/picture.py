"""A decoded picture: its levels at the model's size, and their conversion to the model's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.facts import PhotoFacts
    from tagging_lambda.model_card import InputContract


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture at the model's size, upright, on white, in sRGB, with facts about the original.

    Attributes:
        levels: uint8 [H, W, 3], RGB, 0 to 255.
        width_pixels: of the upright original.
        height_pixels: likewise.
        low_information: whether it is nearly of one colour, so that its keywords mean little.
        facts: what one pass over the small picture yields; None for a picture not made by a reader.
    """

    levels: NDArray[np.uint8]
    width_pixels: int
    height_pixels: int
    low_information: bool
    facts: PhotoFacts | None = None


def model_input(pictures: Sequence[Picture], contract: InputContract) -> NDArray[np.float32]:
    """Return float32 [N, 3, H, W] in the colour order and range that the contract asks for, for one picture or more."""
    levels = np.stack([picture.levels for picture in pictures])
    if contract.colour_order == "BGR":
        levels = levels[..., ::-1]
    pixels = levels.transpose(0, 3, 1, 2).astype(np.float32, order="C")
    if any(contract.mean) or any(scale != 1 for scale in contract.scale):
        pixels -= np.asarray(contract.mean, np.float32)[:, None, None]
        pixels *= np.asarray(contract.scale, np.float32)[:, None, None]
    return pixels
