"""Whether two small pictures are of the same photo."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from tagging_lambda.image.same_photo import PhotoPrint, is_same_photo

SIDE = 384


def picture(seed: int) -> Image.Image:
    """Return soft shapes on white, which differ by the seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    for _ in range(12):
        left, top = rng.integers(60, 240, 2).tolist()
        width, height = rng.integers(30, 100, 2).tolist()
        image.paste(tuple(rng.integers(0, 200, 3).tolist()), (left, top, left + width, top + height))
    return image.filter(ImageFilter.GaussianBlur(4))


def print_of(image: Image.Image) -> PhotoPrint:
    small = image.copy()
    small.thumbnail((96, 96), Image.Resampling.BOX)
    return PhotoPrint.of(np.asarray(small))


MADE = {
    "made smaller": lambda image: image.resize((SIDE // 2, SIDE // 2)),
    "cut in the middle": lambda image: image.crop((20, 20, SIDE - 20, SIDE - 20)),
    "cut at a corner": lambda image: image.crop((0, 0, SIDE * 9 // 10, SIDE * 9 // 10)),
    "mirrored": ImageOps.mirror,
    "padded": lambda image: ImageOps.expand(image, 40, "white"),
}


@pytest.mark.parametrize("made", MADE)
def test_a_photo_that_was_made_of_another_is_the_same(made: str) -> None:
    image = picture(3)

    assert is_same_photo(print_of(image), print_of(MADE[made](image)))
    assert is_same_photo(print_of(MADE[made](image)), print_of(image))


def test_another_photo_is_not_the_same() -> None:
    prints = [print_of(picture(seed)) for seed in range(6)]

    assert not any(is_same_photo(one, other) for at, one in enumerate(prints) for other in prints[:at])


def test_a_colour_variant_is_not_the_same() -> None:
    image = picture(3)
    red, green, blue = image.split()

    assert not is_same_photo(print_of(image), print_of(Image.merge("RGB", (blue, red, green))))
    darker = image.point(lambda level: level if level > 200 else level * 6 // 10)
    assert not is_same_photo(print_of(image), print_of(darker))


def test_empty_pictures_are_compared_without_a_mistake() -> None:
    white, black = print_of(Image.new("RGB", (50, 50), "white")), print_of(Image.new("RGB", (50, 50), "black"))

    assert not is_same_photo(white, black)
