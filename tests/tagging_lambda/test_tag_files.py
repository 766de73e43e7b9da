"""tag PATH: one line per image, whatever the files are."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary
from pipeline.reject_reasons import RejectReason
from pipeline.settings import home, model_dir
from tagging_lambda.photo_cache import PhotoCache
from tagging_lambda.tag_files import FileTagger, RejectedFile, TaggedFile, count_beside_photos, files_below
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.builders import COLOURS, ColourClassifier, InlineReader, colour_vocabulary, jpeg

if TYPE_CHECKING:
    from pathlib import Path


def file_tagger(workers: int = 2) -> FileTagger:
    vocabulary = colour_vocabulary()
    return FileTagger(ColourClassifier(), KeywordMapper.of(vocabulary, COLOURS), InlineReader, workers)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name, data in {
        "b.jpg": jpeg("blue"),
        "a.jpg": jpeg("red"),
        "deep/c.jpg": jpeg("green"),
        "notes.txt": b"not a photo",
        "offer.pdf": b"%PDF-1.7",
        "._a.jpg": b"\x00",
        ".hidden/d.jpg": jpeg(),
        ".DS_Store": b"\x00",
    }.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_folders_are_walked_in_order_without_what_is_hidden(photos):
    found = [str(path.relative_to(photos)) for path in files_below([photos, photos / "b.jpg"])]
    assert found == ["a.jpg", "b.jpg", "offer.pdf", "deep/c.jpg", "b.jpg"]


def test_a_list_that_is_named_is_read_and_those_beside_photos_are_counted(photos):
    assert list(files_below([photos / "notes.txt"])) == [photos / "notes.txt"]
    assert count_beside_photos([photos, photos / "a.jpg"]) == 1


def test_a_path_that_is_nothing_is_the_callers_mistake_before_anything_is_read(photos):
    with pytest.raises(CallerError, match="nowhere is neither a file nor a folder"):
        files_below([photos, photos / "nowhere"])


def test_results_come_in_the_order_of_the_files_and_a_bad_file_is_one_of_them(photos):
    results = list(file_tagger().tag(files_below([photos])))
    assert [result.path.name for result in results] == ["a.jpg", "b.jpg", "offer.pdf", "c.jpg"]
    assert [r.keywords[0].keyword_id for r in results if isinstance(r, TaggedFile)] == ["red", "blue", "green"]
    assert [r.reason for r in results if isinstance(r, RejectedFile)] == [RejectReason.NOT_IMAGE]


def test_the_model_sees_four_photos_at_once_and_no_file_that_is_none(photos):
    classifier = ColourClassifier()
    tagger = replace(file_tagger(workers=1), classifier=classifier)
    paths = [photos / "a.jpg", photos / "notes.txt", photos / "b.jpg", photos / "gone.jpg", *[photos / "a.jpg"] * 5]
    results = list(tagger.tag(paths))
    assert [result.path for result in results] == paths
    assert [r.keywords[0].keyword_id for r in results if isinstance(r, TaggedFile)] == ["red", "blue", *["red"] * 5]
    assert classifier.batches == [2, 4, 1]


def test_no_more_readers_are_made_than_there_are_groups_of_photos(photos):
    made = []
    tagger = replace(file_tagger(workers=3), make_reader=lambda: made.append(1) or InlineReader())
    assert len(list(tagger.tag([photos / "a.jpg"] * 5))) == 5
    assert len(made) == 2


def test_no_photo_that_is_known_is_classified_again(photos, tmp_path):
    classifier = ColourClassifier()
    cache = PhotoCache.open(tmp_path / "photos.sqlite3", "1")
    tagger = replace(file_tagger(workers=1), classifier=classifier, cache=cache)
    first = list(tagger.tag([photos / "a.jpg"]))
    assert list(tagger.tag([photos / "b.jpg", photos / "a.jpg"]))[1] == first[0]
    assert classifier.batches == [1, 1]


@pytest.mark.slow
def test_what_a_photo_shows_does_not_depend_on_its_neighbours(real_model):
    tagger = FileTagger.load(model_dir(), Vocabulary.load(), 1)
    paths = sorted((home() / "sample-catalogue").glob("*.jpg"))[:6]
    alone = [result for path in paths for result in tagger.tag([path])]
    assert list(tagger.tag(paths)) == alone


def test_a_file_that_vanished_or_may_not_be_read_is_a_line_of_its_own(photos, tmp_path):
    (gone,) = file_tagger().tag([photos / "gone.jpg"])
    assert gone.reason is RejectReason.MISSING
    (folder,) = file_tagger().tag([photos / "deep"])
    assert folder.reason is RejectReason.DENIED


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path):
    large = tmp_path / "large.jpg"
    large.touch()
    os.truncate(large, 20 * 1024 * 1024 + 1)
    (result,) = file_tagger().tag([large])
    assert result.detail == "the file has 20,971,521 bytes; the limit is 20,971,520"


def test_the_files_are_read_little_by_little(photos):
    """A million files must not be held at once: what is asked for stays near what was yielded."""
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield photos / "a.jpg"

    results = file_tagger().tag(endless())
    for _ in range(50):
        next(results)
    results.close()
    assert asked < 70


def test_without_the_model_that_was_named_the_command_says_in_one_line_what_to_do(
    photos, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "mistyped"))
    assert main(["tag", str(photos)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "catalog-tagger model build" in line


@pytest.mark.slow
def test_the_command_prints_a_json_line_per_image(photos, real_model, capsys):
    assert main(["tag", str(photos), "--json"]) == 0
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert shown.err == ""
    assert [line["status"] for line in lines] == ["tagged", "tagged", "rejected", "tagged"]
    assert lines[2]["reason"] == "not_image"
    assert lines[0].keys() >= {"image", "status", "reason", "keywords", "classes", "low_information"}
    assert len(lines[0]["classes"]) == 5
    assert lines[0]["low_information"] is True
    assert lines[0]["classes"][0].keys() == {"class_index", "class", "score"}


@pytest.mark.slow
def test_strict_exits_with_one_when_a_photo_was_rejected(photos, real_model, capsys):
    assert main(["tag", str(photos), "--strict"]) == 0, "an offer in PDF is no photo"
    assert "offer.pdf  rejected (not_image)" in capsys.readouterr().out
    (photos / "cut.jpg").write_bytes(jpeg()[:200])
    assert main(["tag", str(photos), "--strict"]) == 1


def test_a_language_that_no_keyword_has_is_the_callers_mistake_before_the_model_loads(photos, capsys):
    assert main(["tag", str(photos), "--language", "it"]) == 2
    assert "there are no words in the language 'it'; choose one of en, de, fr, es" in capsys.readouterr().err


@pytest.mark.slow
def test_keywords_are_shown_in_the_shops_own_language(shared_data, real_model, tmp_path, monkeypatch, capsys):
    overlay = tmp_path / "overlay.csv"
    overlay.write_text("id,it\nn03691459,altoparlante\n", encoding="utf-8")
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(overlay))
    [photo] = (shared_data / "imagenet").glob("n03691459_*")
    assert main(["tag", str(photo), "--language", "it"]) == 0
    assert "altoparlante" in capsys.readouterr().out
