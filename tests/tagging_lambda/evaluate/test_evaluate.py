"""evaluate LABELS.csv, from files to figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from tagging_lambda.evaluate.labels import labels_in
from tagging_lambda.evaluate.measure import evaluated, judged, missed, worst
from tagging_lambda.evaluate.report import EvaluationText, evaluation_document
from tagging_lambda.tag_files import FileTagger
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.share import Share
from tests.builders import COLOURS, ColourClassifier, InlineReader, jpeg
from tests.tagging_lambda.evaluate.conftest import TAXONOMY, VOCABULARY, photo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def labels(tmp_path) -> Path:
    """Labels of three photos and of a file that is none."""
    for colour in COLOURS:
        (tmp_path / f"{colour}.jpg").write_bytes(jpeg(colour))
    (tmp_path / "notes.jpg").write_bytes(b"no picture")
    path = tmp_path / "labels.csv"
    path.write_text("file,expected\nred.jpg,red\ngreen.jpg,blue\nblue.jpg,blue\nnotes.jpg,red\n")
    return path


def test_photos_are_tagged_as_any_others_and_judged(labels):
    tagger = FileTagger(ColourClassifier(), KeywordMapper(TAXONOMY), InlineReader, 2)
    photos = list(judged(labels_in(labels, labels.parent, VOCABULARY), tagger))
    found = evaluated(photos, TAXONOMY)
    assert (found.measures.coverage, found.measures.hits) == (Share(3, 4), Share(2, 4))
    assert found.measures.precision == Share(5, 6)
    assert [each.file.path.name for each in worst(photos)] == ["green.jpg"]
    assert [each.file.path.name for each in missed(photos)] == ["notes.jpg"]
    document = json.loads(json.dumps(evaluation_document(found, photos, VOCABULARY)))
    assert document["untagged"] == [str(labels.parent / "notes.jpg")]
    assert document["mistakes"][0]["wrong"][0]["keyword"] == "green"
    assert document["folders"] == [{"folder": f"{labels.parent}/", "images": 4, "with_keyword": 3}]
    text = str(EvaluationText(found, photos, VOCABULARY))
    verdict = "4 photos: 50.0% get a word that names the thing, 25.0% a wrong word, 0.0% only a department"
    assert text.splitlines()[0] == verdict
    assert "photos with a wrong word, the surest first: 1" in text


def test_a_report_fits_a_screen_unless_all_of_it_is_wanted():
    photos = [photo(f"{n}.jpg", "red", ("blue", 0.9), scores={"blue": 0.9}) for n in range(100)]
    evaluation = evaluated(photos, TAXONOMY)
    assert len(str(EvaluationText(evaluation, photos, VOCABULARY)).splitlines()) <= 24
    assert "and 95 more; --full has them" in str(EvaluationText(evaluation, photos, VOCABULARY))
    assert "99.jpg" in str(EvaluationText(evaluation, photos, VOCABULARY, full=True))


def test_the_surest_mistake_comes_first():
    photos = [photo("a", "red", ("blue", 0.6)), photo("b", "red", ("blue", 0.9)), photo("c", "red", ("red", 0.9))]
    assert [each.file.path.name for each in worst(photos)] == ["b", "a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv cannot be read"),
        (["labels.csv", "--sheet", "nowhere/sheet.html"], "there is no folder nowhere"),
        (["labels.csv", "--precision", "0.2"], "0.2 is not in the range"),
    ],
)
def test_a_mistake_is_said_in_one_line(arguments, message, capsys):
    assert main(["evaluate", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.slow
def test_the_command_measures_calibrates_and_shows(real_model, shared_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    folders = {"hat": "hat", "dress": "dress", "shoes": "shoe|footwear"}
    photos = [(file, words) for name, words in folders.items() for file in _some(shared_data / "clothing" / name)]
    labels, overlay, sheet = tmp_path / "labels.csv", tmp_path / "overlay.csv", tmp_path / "sheet.html"
    labels.write_text("file,expected\n" + "".join(f"{file},{words}\n" for file, words in photos))
    arguments = ["evaluate", str(labels), "--calibrate", "--overlay", str(overlay), "--sheet", str(sheet), "--json"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.err == ""
    assert found["photos"] == len(photos)
    assert found["coverage"]["share"] > 0.9
    assert found["hits"]["share"] > 0.8  # the heads speak, as they do for `tag`: the classes alone name 0.36
    assert found["precision"]["share"] > 0.95
    assert (found["calibration"]["helps"], found["calibration"]["written"]) == (False, [])
    assert not overlay.exists()
    assert "<figure>" in sheet.read_text()
    assert main(["evaluate", str(labels), "--head", "no-such-head"]) == 2
    assert "no-such-head" in capsys.readouterr().err


def _some(folder: Path) -> list[Path]:
    train = folder.parent / "train" / folder.name
    return sorted(train.iterdir())[:15]
