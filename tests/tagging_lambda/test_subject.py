"""Where the subject of a photo stands, and how the model's picture is cut to it."""

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from pipeline.model_version import version_of
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.subject import MARGIN, SubjectBox, find_subject
from tests.builders import CONTRACT

SUBJECT = replace(CONTRACT, fit="subject")


def on_white(box: SubjectBox, size=(100, 100), colour=(200, 0, 0)) -> np.ndarray:
    levels = np.full((size[1], size[0], 3), 255, np.uint8)
    levels[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = colour
    return levels


def as_png(levels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_box_holds_the_subject_with_a_margin():
    margin = 40 * MARGIN
    assert find_subject(on_white(SubjectBox(20, 30, 40, 70))) == (
        20 - margin,
        30 - margin,
        40 + margin,
        70 + margin,
    )


def test_a_subject_may_touch_the_border():
    box = find_subject(on_white(SubjectBox(40, 50, 60, 100)))
    assert box is not None
    assert box.bottom == 100


def test_a_busy_border_and_an_empty_picture_have_no_subject():
    noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    assert find_subject(noise) is None
    assert find_subject(np.full((100, 100, 3), 255, np.uint8)) is None


def test_dust_is_no_subject():
    assert find_subject(on_white(SubjectBox(20, 20, 21, 21))) is None


def test_a_small_subject_fills_the_models_picture():
    photo = as_png(on_white(SubjectBox(300, 300, 400, 400), (1000, 1000)))
    whole, cut = read_picture(photo, CONTRACT).levels, read_picture(photo, SUBJECT).levels
    assert whole.shape == cut.shape
    assert (whole[..., 1] < 128).mean() < 0.02
    assert (cut[..., 1] < 128).mean() > 0.7


def test_nothing_of_a_subjects_shorter_side_is_cut_off():
    tall = on_white(SubjectBox(400, 200, 600, 800), (1000, 1000))
    tall[200:800, 400:410] = (0, 0, 200)  # its left edge
    blue = read_picture(as_png(tall), SUBJECT).levels[..., 2] > 150
    assert (blue & (read_picture(as_png(tall), SUBJECT).levels[..., 1] < 100)).any(axis=1).all()


def test_a_photo_without_an_even_border_is_cut_as_before():
    noise = as_png(np.random.default_rng(1).integers(0, 256, (120, 160, 3)).astype(np.uint8))
    assert (read_picture(noise, SUBJECT).levels == read_picture(noise, CONTRACT).levels).all()


def test_a_model_that_sees_pictures_cut_otherwise_has_another_version():
    assert version_of("0" * 64, fit="subject") != version_of("0" * 64)
    assert version_of("0" * 64, 1.2, "subject") == "000000000000-subject-1.2"
