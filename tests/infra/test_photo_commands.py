"""`check`, `duplicates` and `similar` as they are typed, on folders, records and an export."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from infra import photos
from infra.cli import main
from infra.duplicates import comparable_photos
from infra.photos import KnownPhoto, known_photos
from infra.similar import similar_among, similar_in_export
from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from pipeline.memory.table import MemoryTable
from pipeline.reject_reasons import RejectReason
from pipeline.vectors import FeatureVector
from tagging_lambda.image.decode import read_picture
from tagging_lambda.tag_files import RejectedFile, TaggedFile, files_below
from tests.builders import CONTRACT, encoded, shop
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import small_vocabulary, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SIDE = 200


def shapes(seed: int) -> Image.Image:
    """Return coloured boxes on white, which differ by the seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    for _ in range(8):
        left, top = rng.integers(30, 110, 2).tolist()
        width, height = rng.integers(20, 60, 2).tolist()
        image.paste(tuple(rng.integers(0, 200, 3).tolist()), (left, top, left + width, top + height))
    return image


def known(name: str, image: Image.Image, space: str = "0" * 12) -> KnownPhoto:
    """Return what one pass would know of the picture; its vector is the picture itself, at 8 x 8."""
    small = np.asarray(image.resize((8, 8)).convert("L"), np.float32)
    facts = read_picture(encoded(image, "PNG"), CONTRACT).facts
    return KnownPhoto(name, (), facts, FeatureVector.of(space, small.ravel() - small.mean()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of odd names: a photo, the same one smaller, another, and a text."""

    def read_here(paths: Sequence[Path], vocabulary: Vocabulary, workers: int | None = None) -> Iterator[object]:
        del vocabulary, workers
        for path in files_below(paths):
            try:
                photo = known(path.name, Image.open(path).convert("RGB"))
            except OSError:
                yield RejectedFile(path, RejectReason.NOT_IMAGE, "no picture")
            else:
                yield TaggedFile(path, (), (), low_information=False, facts=photo.facts, vector=photo.vector)

    monkeypatch.setattr(photos, "photos_in", read_here)
    place = tmp_path / "my  photos ü"
    place.mkdir()
    shapes(3).save(place / "a b\n.png")
    shapes(3).resize((100, 100)).save(place / 'ü,"q".png')
    shapes(4).save(place / "-x.png")
    (place / "notes'.pdf").write_text("hi")
    return place


def test_check_names_every_photo_and_what_it_breaks_in_json_and_csv(folder: Path, capsys) -> None:
    assert main(["check", str(folder), "--rules", "google", "--on", "2026-12-01", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["images"], document["with_findings"]) == (4, 3)
    assert document["unjudged"] == [{"image": "notes'.pdf", "reason": "not_image: no picture"}]
    assert {row["image"] for row in document["findings"]} == {"-x.png", "a b\n.png", 'ü,"q".png'}

    assert main(["check", str(folder), "--rules", "google", "--on", "2026-12-01", "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["image"], row["rule"], row["from"]) for row in rows] == [
        (row["image"], row["rule"], row["from"] or "") for row in document["findings"]
    ]


def test_check_writes_a_line_a_photo_whatever_its_name(folder: Path, capsys) -> None:
    assert main(["check", str(folder), "--rules", "google", "--on", "2026-12-01"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "google: 3 of 4 photos break a rule"
    assert "-x.png  image_too_small: 200, limit 500 (from 2027-01-31)" in lines
    assert "notes'.pdf  not judged: not_image: no picture" in lines


def test_duplicates_are_grouped_in_the_folder(folder: Path, capsys) -> None:
    assert main(["duplicates", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"groups": [["a b\n.png", 'ü,"q".png']]}


def test_similar_names_the_nearest_first(folder: Path, capsys) -> None:
    query = folder / "-x.png"
    assert main(["similar", str(query), "--in", str(folder), "--count", "2", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert results[0] == {"image": "-x.png", "score": 1.0}
    assert len(results) == 2


def test_similar_sees_the_changes_since_the_last_snapshot(tmp_path: Path) -> None:
    same, other = (FeatureVector.of("0" * 12, np.eye(2, 256, dtype=np.float32)[row]) for row in range(2))
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.put(replace(tagged("old.jpg", boot=0.9), vector=other))
    shop.export()
    shop.put(replace(tagged("new.jpg", boot=0.9), vector=same))
    shop.record()

    [match] = similar_in_export(same, str(tmp_path / "export"), 1, small_vocabulary())
    assert match.name == "s3://shop/new.jpg"


def test_an_empty_folder_is_answered_by_each_command(folder: Path, tmp_path: Path, capsys) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["check", str(empty), "--rules", "google", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 0
    assert main(["duplicates", str(empty), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"groups": []}
    assert main(["similar", str(folder / "-x.png"), "--in", str(empty), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == []


@pytest.mark.parametrize(
    "words", [["check", "PLACE", "--rules", "google"], ["duplicates", "PLACE"], ["similar", "PHOTO", "--in", "PLACE"]]
)
def test_a_missing_place_is_one_line_that_names_it(folder: Path, words: list[str], capsys) -> None:
    named = {"PLACE": "/nowhere at all", "PHOTO": str(folder / "-x.png")}
    assert main([named.get(word, word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "/nowhere at all is no folder and no manifest" in line


def test_check_refuses_two_ways_of_writing(folder: Path, capsys) -> None:
    assert main(["check", str(folder), "--rules", "google", "--csv", "--json"]) == 2
    assert "--csv and --json" in capsys.readouterr().err


def test_records_answer_for_a_bucket_and_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = MemoryTable()
    table.damage(shop("b.jpg"), "damaged")
    monkeypatch.setattr(photos, "table_of_stack", lambda: table)
    manifest = tmp_path / "list.csv"
    manifest.write_text("image\ns3://shop/b.jpg\ns3://shop/c d.jpg\ns3://shop/b.jpg\n")

    assert [(p.name, p.refused) for p in known_photos("s3://shop/", Vocabulary.load())] == [
        ("s3://shop/b.jpg", "its record cannot be read: damaged")
    ]
    assert [(p.name, p.refused) for p in known_photos(str(manifest), Vocabulary.load())] == [
        ("s3://shop/b.jpg", "its record cannot be read: damaged"),
        ("s3://shop/c d.jpg", "not tagged; load it first"),
    ]


def test_photos_of_another_model_are_left_out() -> None:
    rows = [known("a", shapes(1)), known("b", shapes(2)), known("c", shapes(3), "1" * 12), KnownPhoto("d")]
    comparable = comparable_photos(rows)
    assert (comparable.names, comparable.left_out) == (("a", "b"), 2)
    assert [match.name for match in similar_among(rows[2].vector, rows, 5)] == ["c"]
