"""Facts of made photos, whose border, product and colours are known."""

from __future__ import annotations

import io
import random
from datetime import date

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from pipeline.colours import COLOURS, colours_of
from pipeline.facts import PhotoFacts
from pipeline.photo_rules import broken_ids, shipped_rule_sets
from tagging_lambda.image.decode import read_picture
from tests.builders import CONTRACT

LEVELS = {
    "black": (25, 25, 26),
    "white": (250, 250, 250),
    "grey": (128, 128, 128),
    "blue": (30, 60, 170),
    "red": (200, 20, 30),
    "green": (30, 130, 50),
    "yellow": (245, 220, 40),
    "orange": (250, 140, 20),
    "brown": (110, 65, 30),
    "beige": (222, 202, 170),
    "pink": (245, 150, 185),
    "purple": (110, 40, 140),
}


def photo(colour: tuple[int, int, int], ground: tuple[int, int, int] = (255, 255, 255), size=(400, 300)) -> Image.Image:
    """Return a box of the colour, in the middle of the ground and half as wide and high."""
    image = Image.new("RGB", size, ground)
    width, height = size
    image.paste(colour, (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return image


def facts_of(image: Image.Image, kind: str = "PNG") -> PhotoFacts:
    file = io.BytesIO()
    image.save(file, kind)
    facts = read_picture(file.getvalue(), CONTRACT).facts
    assert facts is not None
    return facts


@pytest.mark.parametrize("name", COLOURS)
def test_a_plain_product_has_the_colour_that_a_person_would_name(name: str) -> None:
    ground = (60, 90, 120) if name == "white" else (255, 255, 255)

    [first, *others] = colours_of(facts_of(photo(LEVELS[name], ground)))

    assert first.colour == name
    assert first.share > 0.6
    assert not others


@pytest.mark.parametrize(
    ("levels", "colour"),
    [
        ((48, 38, 34), "brown"),  # a shoe of dark leather, which a black one beside it is not
        ((26, 26, 28), "black"),
        ((250, 240, 190), "yellow"),  # as pale as a cream, and greener
        ((243, 228, 200), "beige"),
    ],
)
def test_a_dark_or_pale_tint_is_a_colour_on_white(levels: tuple[int, int, int], colour: str) -> None:
    assert colours_of(facts_of(photo(levels)))[0].colour == colour


@pytest.mark.parametrize(
    ("levels", "on_white", "at_home"), [((36, 30, 28), "brown", "black"), ((243, 228, 204), "beige", "white")]
)
def test_a_faint_tint_is_the_lamp_s_where_the_ground_is_not_white(
    levels: tuple[int, int, int], on_white: str, at_home: str
) -> None:
    on_wood = photo(levels, ground=(200, 160, 120))
    on_wood.paste((250, 250, 250), (150, 250, 250, 260))  # so that nothing is brightened

    assert colours_of(facts_of(photo(levels)))[0].colour == on_white
    assert colours_of(facts_of(on_wood))[0].colour == at_home


def test_an_even_dark_grey_is_no_shining_black() -> None:
    assert colours_of(facts_of(photo((100, 100, 100))))[0].colour == "grey"


def worn(garment: tuple[int, int, int], skin: tuple[int, int, int]) -> Image.Image:
    """Return a person with black hair on white, down to the hips, with bare arms and a garment in the middle."""
    image = Image.new("RGB", (300, 400), "white")
    for box in ((120, 40, 180, 110), (70, 110, 100, 400), (200, 110, 230, 400)):
        image.paste(skin, box)
    image.paste(LEVELS["black"], (100, 10, 200, 40))
    image.paste(garment, (100, 110, 200, 400))
    return image


@pytest.mark.parametrize("skin", [(235, 190, 160), (190, 130, 95), (100, 65, 45)])
def test_a_model_s_skin_and_hair_are_no_colours_of_the_garment(skin: tuple[int, int, int]) -> None:
    [only] = colours_of(facts_of(worn(LEVELS["green"], skin)))

    assert only.colour == "green"
    assert only.share > 0.98


def test_a_tall_thing_that_has_the_colour_of_skin_all_over_keeps_it() -> None:
    assert colours_of(facts_of(worn((190, 130, 95), (190, 130, 95))))[0].colour == "brown"


def test_a_white_product_is_white_in_a_dim_room_too() -> None:
    assert colours_of(facts_of(photo((180, 180, 178), ground=(70, 60, 50))))[0].colour == "white"


def test_a_grey_product_is_grey_beside_a_lighter_thing() -> None:
    room = photo((140, 140, 140), ground=(70, 60, 50))
    room.paste((245, 245, 245), (0, 0, 400, 30))

    assert colours_of(facts_of(room))[0].colour == "grey"


def test_narrow_stripes_count_less_than_the_plain_part_of_a_product() -> None:
    shirt = photo(LEVELS["blue"], size=(96, 72))
    shirt.paste(LEVELS["yellow"], (40, 18, 56, 54))
    striped = photo(LEVELS["blue"], size=(96, 72))
    for left in range(32, 64, 2):
        striped.paste(LEVELS["yellow"], (left, 18, left + 1, 54))
    yellow = COLOURS.index("yellow")

    assert facts_of(striped).colour_shares[yellow] < facts_of(shirt).colour_shares[yellow]


def test_what_may_be_white_in_the_shade_or_a_light_grey_has_no_colour() -> None:
    assert colours_of(facts_of(photo((207, 207, 208)))) == ()


def test_the_ground_says_nothing_of_the_colour() -> None:
    for ground in ((255, 255, 255), (20, 20, 20), (240, 120, 30)):
        assert colours_of(facts_of(photo(LEVELS["green"], ground)))[0].colour == "green"


def test_a_photo_whose_product_cannot_be_told_from_its_ground_has_no_colour() -> None:
    scene = np.random.default_rng(1).integers(0, 255, (15, 20, 3), np.uint8)

    assert colours_of(facts_of(Image.fromarray(scene).resize((400, 300), Image.Resampling.NEAREST))) == ()
    assert colours_of(facts_of(Image.new("RGB", (300, 300), (200, 30, 30)))) == ()
    assert colours_of(None) == ()


def test_a_product_of_many_colours_is_multicoloured_first() -> None:
    image = photo(LEVELS["red"])
    for place, name in enumerate(("blue", "yellow", "green")):
        image.paste(LEVELS[name], (150 + 50 * place, 75, 200 + 50 * place, 225))

    colours = colours_of(facts_of(image))

    assert colours[0].colour == "multicoloured"
    assert {"blue", "yellow", "green"} <= {colour.colour for colour in colours}


def test_size_format_and_bytes_are_those_of_the_file() -> None:
    facts = facts_of(photo(LEVELS["red"], size=(640, 480)), "JPEG")

    assert (facts.width_pixels, facts.height_pixels, facts.format) == (640, 480, "JPEG")
    assert 1_000 < facts.file_bytes < 20_000


SIDES = (99, 100, 249, 250, 499, 500, 501, 640, 999, 1000)
LATER = date(2027, 1, 31)


def made_picture(rng: random.Random) -> tuple[bytes, dict[str, set[str]]]:
    """Return a file with a product on white, and what it breaks as of `LATER`."""
    width, height = rng.choice(SIDES), rng.choice(SIDES)
    kind = rng.choice(("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"))
    has_frame = rng.random() < 0.3 and max(width, height) < 4 * min(width, height)
    image = Image.new("RGB", (width, height), (255, 255, 255))
    ImageDraw.Draw(image).ellipse((width // 10, height // 10, width * 9 // 10, height * 9 // 10), (90, 60, 200))
    if has_frame:
        line = max(2, max(width, height) // 40)
        image = ImageOps.expand(image.crop((line, line, width - line, height - line)), line, (20, 20, 20))
    file = io.BytesIO()
    image.save(file, kind, **({"speed": 10} if kind == "AVIF" else {}))
    small, large = min(width, height), max(width, height)
    broken = {
        "google": {
            "image_too_small": small < 500,
            "format_not_accepted": kind == "AVIF",
            "border": has_frame,
        },
        "amazon": {
            "image_too_small": large < 500,
            "no_zoom": large < 1000,
            "format_not_accepted": kind in {"WEBP", "BMP", "AVIF"},
            "border": has_frame,
            "background_not_white": has_frame,
        },
    }
    return file.getvalue(), {
        name: {rule for rule, is_broken in rules.items() if is_broken} for name, rules in broken.items()
    }


@pytest.mark.slow
def test_what_a_header_or_an_edge_shows_is_judged_exactly_on_five_hundred_pictures() -> None:
    rng, rule_sets = random.Random(20270131), shipped_rule_sets()
    for _ in range(500):
        data, broken = made_picture(rng)
        facts = read_picture(data, CONTRACT).facts

        assert {name: set(ids) for name, ids in broken_ids(rule_sets, facts, (), LATER).items()} == broken


def test_border_and_margins_are_measured() -> None:
    facts = facts_of(photo(LEVELS["blue"]))

    assert facts.border_rgb == (255, 255, 255)
    assert (facts.border_evenness, facts.border_whiteness, facts.frame) == (1.0, 1.0, 0.0)
    assert facts.fill == pytest.approx(0.25, abs=0.02)
    for margin in (facts.margins.left, facts.margins.top, facts.margins.right, facts.margins.bottom):
        assert margin == pytest.approx(0.25, abs=0.02)


def test_a_drawn_frame_is_seen_and_a_white_ground_is_none() -> None:
    framed = Image.new("RGB", (420, 320), (20, 20, 20))
    framed.paste(photo(LEVELS["blue"]), (10, 10))

    assert facts_of(framed).frame == 1.0
    assert facts_of(photo(LEVELS["blue"])).frame == 0.0


def test_a_blurred_photo_is_less_sharp() -> None:
    image = photo(LEVELS["blue"])

    assert facts_of(image).sharpness > 0.5
    assert facts_of(image.filter(ImageFilter.GaussianBlur(8))).sharpness < 0.16


def test_facts_take_under_a_hundred_bytes_and_come_back_as_they_were() -> None:
    facts = facts_of(photo(LEVELS["blue"]))

    assert len(facts.pack()) == 56
    assert PhotoFacts.unpack(facts.pack()) == facts


def test_facts_of_a_later_layout_are_passed_over() -> None:
    packed = facts_of(photo(LEVELS["blue"])).pack()

    assert PhotoFacts.unpack(bytes([packed[0] + 1]) + packed[1:]) is None
    assert PhotoFacts.unpack(packed + b"more") is None
