"""A model card survives being written, and refuses what no model can be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.errors import BadModel, DeployerError
from tagging_lambda.model_card import (
    MeasuredAccuracy,
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)
from tests.builders import CONTRACT


@pytest.fixture
def card():
    return ModelCard(
        name="some-net",
        served="int8",
        input=CONTRACT,
        output=OutputContract("logits", "features", 8),
        source=ModelSource("npm some-net@1.0.0", "sha512-abc", "MIT"),
        recipe=ModelRecipe(1, "npm some-shop@1.0.0", "sha512-def", 54),
        files=(ModelFile("a.onnx", "aa" * 32, 100, "float32"), ModelFile("b.onnx", "bb" * 32, 30, "int8")),
        accuracy=(MeasuredAccuracy("int8", "photos/labels.csv", "cc" * 32, 250, 0.9, 0.98),),
        classes=(ModelClass(0, "n01440764", "tench"), ModelClass(1, "n01443537", "Königsfisch")),
    )


def test_a_card_survives_being_written_and_read(card, tmp_path):
    path = tmp_path / "card.json"
    path.write_text(card.to_json(), encoding="utf-8")
    assert ModelCard.load(path) == card


def test_the_version_names_the_served_weights(card):
    assert card.version == "b" * 12
    assert replace(card, served="float32").version == "a" * 12


def test_a_card_of_another_temperature_is_another_version_and_survives_too(card, tmp_path):
    cooler = replace(card, temperature=1.05)
    path = tmp_path / "card.json"
    path.write_text(cooler.to_json(), encoding="utf-8")
    assert ModelCard.load(path) == cooler
    assert cooler.version == f"{card.version}-1.05"


def test_a_card_that_gives_no_temperature_has_the_models_own(card, tmp_path):
    document = json.loads(card.to_json())
    del document["temperature"]
    path = tmp_path / "card.json"
    path.write_text(json.dumps(document))
    assert ModelCard.load(path) == card


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_nothing_can_be_divided_by_is_refused(card, temperature):
    with pytest.raises(BadModel, match="temperature"):
        replace(card, temperature=temperature)


def test_a_missing_card_says_how_to_get_one(tmp_path):
    with pytest.raises(BadModel, match=r"card\.json does not exist; `catalog-tagger model build`"):
        ModelCard.load(tmp_path / "card.json")


def test_a_card_that_is_no_file_says_so(tmp_path):
    with pytest.raises(BadModel, match="cannot be read"):
        ModelCard.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"name": "x"}', "\ud7ff"])
def test_what_is_no_card_is_refused(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadModel, match="is not a model card"):
        ModelCard.load(path)


def test_a_card_with_an_unknown_entry_is_refused(card, tmp_path):
    document = json.loads(card.to_json())
    document["input"]["colour"] = "RGB"
    path = tmp_path / "card.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadModel, match="colour"):
        ModelCard.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layout": "NHWC"}, "layout is 'NHWC'"),
        ({"colour_order": "GBR"}, "colour order is 'GBR'"),
        ({"fit": "stretch"}, "fit is 'stretch'"),
        ({"width_pixels": 0}, "0 x 224 pixels"),
        ({"shorter_side_pixels": 223}, "crops 224 x 224 pixels out of a shorter side of 223"),
    ],
)
def test_an_input_that_no_picture_can_be_shaped_for_is_refused(change, said):
    with pytest.raises(BadModel, match=said):
        replace(CONTRACT, **change)


def test_a_served_file_that_is_not_listed_is_refused(card):
    with pytest.raises(BadModel, match="lists no file of precision 'int4'"):
        replace(card, served="int4")


@pytest.mark.parametrize("indices", [[], [1, 0], [0, 2], [1, 2], [0, 0]])
def test_classes_out_of_order_are_refused(card, indices):
    with pytest.raises(BadModel, match="does not list its classes in order"):
        replace(card, classes=tuple(ModelClass(index, f"n{index}", "x") for index in indices))


def test_a_bad_model_is_the_deployers_to_mend():
    assert issubclass(BadModel, DeployerError)
