"""`tag -o`: a file by its ending, or the export that AWS writes, which the other commands then read."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.cli import main
from infra.tag import TagSummary
from infra.tag_output import FileRecords
from pipeline.errors import CallerError
from pipeline.images import LocalImage, exported_image
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.reject_reasons import RejectReason
from tagging_lambda.tag_files import FileTagger, RejectedFile
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.builders import COLOURS, ColourClassifier, InlineReader, colour_vocabulary, jpeg


@pytest.fixture
def classifier() -> ColourClassifier:
    return ColourClassifier()


@pytest.fixture
def photos(tmp_path: Path, classifier: ColourClassifier, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos, on a machine whose model knows colours."""
    folder = tmp_path / "my photos"
    (folder / "deep").mkdir(parents=True)
    for name, data in {
        "a.jpg": jpeg("red"),
        "deep/ü b.jpg": jpeg("blue"),
        "cut.jpg": jpeg("red")[:300],
        "list.csv": b"a,b\n",
        "offer.pdf": b"%PDF-1.7",
    }.items():
        (folder / name).write_bytes(data)
    mapper = KeywordMapper.of(colour_vocabulary(), COLOURS)
    monkeypatch.setattr(FileTagger, "load", lambda *_: FileTagger(classifier, mapper, InlineReader, 1))
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_csv_has_a_row_for_each_file_and_the_last_line_sums_up(photos: Path, capsys) -> None:
    assert main(["tag", "my photos", "-o", "out.csv"]) == 0
    rows = list(csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["file"], row["keywords"], row["status"], row["reason"]) for row in rows] == [
        ("my photos/a.jpg", "red|paint", "tagged", ""),
        ("my photos/cut.jpg", "", "rejected", "corrupt"),
        ("my photos/offer.pdf", "", "rejected", "not_image"),
        ("my photos/deep/ü b.jpg", "blue|paint", "tagged", ""),
    ]
    shown = capsys.readouterr().out
    assert shown.startswith("2 tagged, 2 rejected (1 corrupt, 1 not_image), 1 skipped that are no photos by name, in ")
    assert shown.endswith(" s: out.csv\n")


def test_json_lines_are_those_that_tag_prints(photos: Path, capsys) -> None:
    assert main(["tag", "my photos", "--json"]) == 0
    printed = capsys.readouterr().out
    assert main(["tag", "my photos", "-o", "out.jsonl", "--json"]) == 0
    assert Path("out.jsonl").read_text(encoding="utf-8") == printed
    assert json.loads(capsys.readouterr().out) == {
        "output": "out.jsonl",
        "tagged": 2,
        "needs_a_look": 0,
        "rejected": {"corrupt": 1, "not_image": 1},
    }


def test_parquet_has_the_columns_of_an_export(photos: Path) -> None:
    assert main(["tag", "my photos", "-o", "out.parquet"]) == 0
    rows = pq.read_table("out.parquet").to_pylist()
    assert [row["image"] for row in rows if row["status"] == "tagged"] == [
        f"file://{photos}/a.jpg",
        f"file://{photos}/deep/ü b.jpg",
    ]
    assert [row["product"] for row in rows] == ["a", "cut", "offer", "deep/ü b"]
    assert rows[0]["keywords"][0]["keyword_id"] == "red"


def test_a_folder_is_an_export_that_other_formats_are_written_from(photos: Path, capsys) -> None:
    assert main(["tag", "my photos", "-o", "out"]) == 0
    assert main(["export", "shop", "--from", "out", "--format", "meilisearch"]) == 0
    lines = Path("shop/meilisearch/documents-00000.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["product"] for line in lines] == ["a", "deep/ü b"]
    capsys.readouterr()

    assert main(["check", "out", "--rules", "google", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {row["image"] for row in document["findings"]} == {f"file://{photos}/a.jpg", f"file://{photos}/deep/ü b.jpg"}
    assert len(document["unjudged"]) == 2


def test_started_again_it_reads_only_what_is_new_whatever_it_is_called(
    photos: Path, classifier: ColourClassifier
) -> None:
    assert main(["tag", "my photos", "-o", "out"]) == 0
    assert classifier.pictures == 2
    (photos / "a.jpg").rename(photos / "renamed.jpg")
    (photos / "new.jpg").write_bytes(jpeg("green"))
    assert main(["tag", "my photos", "-o", "out"]) == 0
    assert classifier.pictures == 3


def test_strict_is_about_photos_alone(photos: Path) -> None:
    assert main(["tag", "my photos", "-o", "out.csv", "--strict"]) == 1
    (photos / "cut.jpg").unlink()
    assert main(["tag", "my photos", "-o", "out.csv", "--strict"]) == 0


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.xlsx", "out.xlsx: name a file that ends in .csv, .jsonl or .parquet, or a folder"),
        ("no/such/out.csv", "no/such/out.csv cannot be written: there is no folder no/such"),
        ("my photos", "my photos holds other files and no export; name a new folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line_before_a_photo_is_read(
    photos: Path, classifier: ColourClassifier, output: str, message: str, capsys
) -> None:
    assert main(["tag", "my photos", "-o", output]) == 2
    assert capsys.readouterr().err == f"catalog-tagger: {message}\n"
    assert classifier.pictures == 0


def test_a_name_that_is_not_utf_8_is_left_out_of_an_export_and_named(photos: Path, capsys) -> None:
    (photos / "bad\udcff.jpg").write_bytes(jpeg("red"))
    assert main(["tag", "my photos", "-o", "out"]) == 0
    assert "left out: my photos/bad" in capsys.readouterr().err
    assert main(["search", "red", "--from", "out", "--json"]) == 0


def test_a_product_pattern_reads_the_path_below_the_folder(photos: Path) -> None:
    pattern = ["--product-pattern", "^(?P<product>[^/]+)/"]
    assert main(["tag", "my photos", "-o", "out.parquet", *pattern]) == 0
    assert pq.read_table("out.parquet").to_pylist()[-1]["product"] == "deep"


def test_a_file_that_vanished_has_a_record_without_a_time(tmp_path: Path) -> None:
    gone = RejectedFile(tmp_path / "gone.jpg", RejectReason.MISSING, "the file no longer exists")
    pattern = ProductPattern.parse(DEFAULT_PRODUCT_PATTERN)
    [record] = FileRecords([gone], [tmp_path], pattern, ("m", "t"), "run").scan()
    assert (record.observation.object_time, record.observation.product) == (None, "gone")


def test_a_summary_of_nothing_says_so() -> None:
    assert TagSummary().line(0, 0.04) == "0 tagged, in 0.0 s"


def test_the_name_of_a_local_photo_is_its_path_as_it_is(tmp_path: Path) -> None:
    image = LocalImage.of(tmp_path / "a b+ü%.jpg")
    assert str(image) == f"file://{tmp_path}/a b+ü%.jpg"
    assert exported_image(str(image)) == image
    with pytest.raises(CallerError, match="is not valid Unicode"):
        LocalImage("", "/bad\udcff.jpg")


@pytest.mark.slow
def test_search_duplicates_similar_and_report_work_on_the_folder_as_typed(
    real_model, shared_data, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    (tmp_path / "photos").mkdir()
    [speaker] = (shared_data / "imagenet").glob("n03691459_*")
    for name in ("speaker.jpg", "same.jpg"):
        shutil.copy(speaker, tmp_path / "photos" / name)

    assert main(["tag", "photos", "-o", "out"]) == 0
    assert main(["search", "loudspeaker", "--from", "out", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {result["product"] for result in answer["results"]} == {"speaker", "same"}

    assert main(["duplicates", "out", "--json"]) == 0
    names = [f"file://{tmp_path}/photos/{name}" for name in ("same.jpg", "speaker.jpg")]
    assert json.loads(capsys.readouterr().out) == {"groups": [names]}
    assert main(["similar", "photos/same.jpg", "--in", "out", "--json"]) == 0
    assert {match["image"] for match in json.loads(capsys.readouterr().out)["results"]} == set(names)
    assert main(["report", "report.html", "--from", "out", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["photos"], report["duplicates"]) == (2, 1)


def test_a_place_in_s3_leads_to_load(photos: Path, capsys) -> None:
    assert main(["tag", "s3://shop/a b/c.jpg"]) == 2

    address = "s3://shop/a b/c.jpg"
    mistake = f"{address} lies in Amazon S3; `catalog-tagger load {address}` has it tagged there"
    assert capsys.readouterr().err == f"catalog-tagger: {mistake}\n"


def test_a_run_without_an_output_loads_little_and_leaves_the_cores_to_the_model(tmp_path: Path) -> None:
    script = """
import sys
from infra.cli import main
main(["tag", "--help"])
from threadpoolctl import threadpool_info
print({"pyarrow", "boto3"} & set(sys.modules), {pool["num_threads"] for pool in threadpool_info()}, file=sys.stderr)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert ran.stderr == "set() {1}\n"
