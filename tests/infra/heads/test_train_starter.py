"""The starter head is trained from folders of labelled photos, and judged on photos that it does not know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from infra.heads.cut_out import cut_out, shop_view
from infra.heads.train_starter import DIMENSIONS, OTHER, Gallery, Subspace, held_out_logits, photos_of, telling_basis
from pipeline.keywords import Vocabulary
from tagging_lambda.words.heads import Head
from tagging_lambda.words.projection import PROJECTION_NAME, Projection
from tagging_lambda.words.train import Examples
from tests.builders import encoded

DRESS, SHIRT, WATCH = "n03236735", "shop-shirt", "n04555897"
KINDS = (DRESS, SHIRT, WATCH, OTHER)
FEATURES = DIMENSIONS + 32
ROOT = Path(__file__).resolve().parents[3]


def gallery(photos: int, apart: float) -> Gallery:
    """Return photos of three words and of other things, whose features differ by so much beside chance."""
    random = np.random.default_rng(4)
    kinds = np.arange(photos) % len(KINDS)
    features = random.random((photos, FEATURES), np.float32)
    features[np.arange(photos), kinds] += apart
    labels = tuple(frozenset({KINDS[kind]} - {OTHER}) for kind in kinds)
    return Gallery(features, labels, tuple(map(str, range(photos))), as_seen=photos)


def test_what_tells_words_apart_comes_first_in_a_vector():
    shown = gallery(1200, apart=2.0)
    coordinates = Subspace.of(shown).coordinates
    basis = telling_basis(Examples(coordinates, shown.labels, shown.groups), Vocabulary.load())
    vectors = coordinates @ basis
    means = np.stack([vectors[kind :: len(KINDS)].mean(axis=0) for kind in range(len(KINDS))])
    spread = means.std(axis=0)
    assert vectors.shape == (1200, DIMENSIONS)
    assert spread[: len(KINDS) - 1].min() > 2 * spread[len(KINDS) :].max()


def right_when_held_out(shown: Gallery) -> float:
    """Return the share of photos of which a head that does not know them is right."""
    held_out = held_out_logits(shown, Subspace.of(shown).coordinates, Vocabulary.load())
    words = sorted(KINDS[:-1])
    truth = [words.index(next(iter(label))) if label else len(words) for label in shown.labels]
    return float((held_out.logits.argmax(axis=1) == truth).mean())


def test_no_photo_is_judged_by_what_knows_its_label():
    assert right_when_held_out(gallery(400, apart=0.0)) < 0.5  # labels are chance: who saw them alone could tell
    assert right_when_held_out(gallery(400, apart=3.0)) > 0.9


def garment(ground: str = "grey") -> Image.Image:
    picture = Image.new("RGB", (256, 320), ground)
    ImageDraw.Draw(picture).rectangle((60, 60, 190, 250), fill="navy")
    return picture


def test_a_garment_on_an_even_ground_is_laid_on_white():
    white, box = cut_out(garment())
    assert white.getpixel((5, 5)) == (255, 255, 255)
    assert white.getpixel((128, 150)) == (0, 0, 128)
    assert box.left < 60
    assert box.right > 190
    assert shop_view(garment(), 64).size == (64, 64)


def test_a_garment_that_cannot_be_told_from_its_ground_has_no_view_of_a_shop():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (256, 256, 3), np.uint8))
    assert cut_out(noise) is None
    assert shop_view(noise, 64) is None


def write_photos(data: Path, photos: int) -> None:
    """Write a folder for each data set, with drawn photos and labels."""
    rows = {
        "clothing": ("file,keyword,contributor", [("dress", "red"), ("shirt", "blue")]),
        "grocery": ("file,coarse", [("Apple", "green")]),
        "goods": ("file,keyword", [("watch", "black"), ("other", "yellow")]),
        "imagenet": ("file,wnid", [("n02099601", "brown"), (DRESS, "red")]),
    }
    for data_set, (header, kinds) in rows.items():
        (data / data_set).mkdir(parents=True)
        lines = [header]
        for label, colour in kinds:
            for number in range(photos):
                picture = garment()
                ImageDraw.Draw(picture).ellipse((70, 70 + 5 * number, 150, 150 + 5 * number), fill=colour)
                name = f"{label}-{number}.jpg"
                (data / data_set / name).write_bytes(encoded(picture, "JPEG"))
                lines.append(f"{name},{label}" + (f",{number}" if data_set == "clothing" else ""))
        (data / data_set / "labels.csv").write_text("\n".join(lines) + "\n")


def test_labels_become_words_and_what_imagenet_shows_of_them_teaches_nothing(tmp_path):
    write_photos(tmp_path, 1)
    vocabulary = Vocabulary.load()
    found = {name: [p.keyword_id for p in photos_of(tmp_path, name, vocabulary)] for name in ("clothing", "goods")}
    assert found == {"clothing": [DRESS, SHIRT], "goods": [WATCH, OTHER]}
    assert [photo.path.name for photo in photos_of(tmp_path, "imagenet", vocabulary)] == ["n02099601-0.jpg"]


@pytest.mark.slow
def test_the_script_trains_a_head_as_it_is_typed(real_model, tmp_path):
    write_photos(tmp_path / "data", 8)
    out = tmp_path / "head"
    environment = os.environ | {"MODEL_DIR": str(real_model), "CATALOG_TAGGER_HOME": str(tmp_path / "home")}
    typed = [sys.executable, "-m", "infra.heads.train_starter", str(tmp_path / "data"), "--out", str(out)]
    done = subprocess.run(typed, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, projection = Head.load(out), Projection.load(out / PROJECTION_NAME)
    assert head.card.space == projection.space
    assert {word.id for word in head.card.words} == {DRESS, SHIRT, WATCH, "n07739125"}
    assert {word.examples for word in head.card.words} == {8}
    assert done.stdout.startswith(f"{out}: ")
