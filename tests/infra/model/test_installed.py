"""A further model is installed beside the one that tags, and lies in the package of the function that compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.model.installed import install
from infra.package import PACKAGES
from pipeline.errors import BadModel, CallerError
from pipeline.model_version import CARD_NAME
from tagging_lambda.model_card import ModelCard
from tests.infra.local.scratch import tiny_model

if TYPE_CHECKING:
    from pathlib import Path


def test_an_installed_model_is_whole_and_only_what_is_compared_holds_it(
    tmp_path: Path,
) -> None:
    model = tiny_model(tmp_path / "model")
    card = install("tiny-2", model / CARD_NAME, tmp_path / "home")

    folder = tmp_path / "home" / "models" / "tiny-2"
    assert ModelCard.load(folder / CARD_NAME) == card
    assert (folder / "tiny.int8.onnx").read_bytes() == (model / "tiny.int8.onnx").read_bytes()
    holding = [
        each.function for each in PACKAGES if "models/tiny-2/card.json" in each.sources(model, compared=folder.parent)
    ]
    assert holding == ["ClassifyFunction"]
    assert not [each for each in PACKAGES if "models/tiny-2/card.json" in each.sources(model)]


@pytest.mark.parametrize("name", ["default", "", "../x", "A", "a b", "x" * 33])
def test_a_name_that_no_model_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CallerError, match="no name of a model"):
        install(name, tiny_model(tmp_path / "model") / CARD_NAME, tmp_path)


def test_a_precision_that_the_card_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel):
        install("a", tiny_model(tmp_path / "model") / CARD_NAME, tmp_path, "float16")
