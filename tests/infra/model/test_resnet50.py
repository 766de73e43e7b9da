"""The real model, as it is built, reaches the accuracy that was promised."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from infra.model.build import ModelBuilder
from infra.model.npm import Npm
from pipeline.settings import home
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input

LABELS = Path(__file__).resolve().parents[4] / "shared" / "data" / "imagenet" / "labels.csv"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LABELS.exists(), reason="the photos of known class are not on this machine"),
]


@pytest.fixture(scope="module")
def builder():
    return ModelBuilder(home(), home() / "model", Npm(), lambda _: None, quiet=True)


@pytest.fixture(scope="module")
def accuracy(builder):
    measured = builder.build(labels=LABELS).accuracy
    photos = LABELS.resolve().parent.name + "/" + LABELS.name
    return {each.precision: each for each in measured if each.photos == photos}


def test_float32_names_the_class_of_nine_photos_in_ten(accuracy):
    assert accuracy["float32"].images == 250
    assert accuracy["float32"].top1 >= 0.89
    assert accuracy["float32"].top5 >= 0.975


def test_int8_is_as_right_as_float32_within_a_hundredth(accuracy):
    assert accuracy["int8"].top1 >= accuracy["float32"].top1 - 0.01
    assert accuracy["int8"].top5 >= accuracy["float32"].top5 - 0.01


def test_one_picture_is_answered_alike_alone_and_among_others(builder, accuracy):
    assert accuracy
    card_path = builder.folder / "card.json"
    with LABELS.open(newline="") as file:
        names = [row["file"] for row, _ in zip(csv.DictReader(file), range(4), strict=False)]
    classifier = Classifier.load(card_path)
    wanted = classifier.card.input
    pixels = model_input([read_picture((LABELS.parent / name).read_bytes(), wanted) for name in names], wanted)
    together = classifier.classify(pixels)
    alone = [classifier.classify(one[None])[0] for one in pixels]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert one.features.shape == (2048,)
