"""Other engines load what is exported for them."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.aws.dynamodb import DynamoTable
from pipeline.errors import RetryLater
from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from pipeline.memory.files import MemoryFiles
from pipeline.standard_ids import StandardIds
from pipeline.vectors import FeatureVector
from results_sink import cli
from results_sink.formats.documents import document_id
from results_sink.formats.opensearch import INDEX_NAME, NEWEST_NAME, BulkExporter, bulk_lines
from results_sink.formats.write import Format, FormatOptions, write_format
from tests.results_sink.small_shop import NOW, Breaking, gone, small_shop, small_vocabulary, table_of, tagged

if TYPE_CHECKING:
    from pipeline.ports import FileStore
    from pipeline.records import Record
    from tests.aws_world import AwsWorld


def test_a_photo_is_an_action_and_a_document_with_what_is_above_its_keywords() -> None:
    action, document = (json.loads(line) for line in bulk_lines([tagged("a.jpg", "p", boot=0.9)], small_vocabulary()))

    assert action == {"index": {"_index": "catalogue", "_id": "s3://shop/a.jpg"}}
    assert document["keyword_ids"] == ["boot", "footwear", "fashion"]
    assert document["keywords"] == [{"id": "boot", "keyword": "boot", "score": 0.9, "source": "model"}]
    assert document["words"] == {"en": ["boot", "bootee"], "de": ["Stiefel"], "fr": ["botte"], "es": ["bota"]}
    assert (document["product"], document["best_score"]) == ("p", 0.9)


def test_what_is_no_longer_there_is_deleted() -> None:
    lines = list(bulk_lines([gone("a.jpg")], small_vocabulary(), "photos"))

    assert lines == ['{"delete":{"_index":"photos","_id":"s3://shop/a.jpg"}}\n']


def test_every_line_is_json_and_ends_with_a_line_feed() -> None:
    odd = tagged('line\nfeed "é".jpg', boot=0.5)

    for line in bulk_lines([*small_shop(), odd], small_vocabulary()):
        assert line.endswith("\n")
        assert line.count("\n") == 1
        assert json.loads(line)


def test_files_are_small_enough_for_a_request_each() -> None:
    files = MemoryFiles()
    report = BulkExporter(table_of(small_shop()), files, small_vocabulary(), lambda: NOW, part_images=5).export()

    assert report.files == tuple(
        f"opensearch-bulk/20260301T120000.000000Z/part-0000{number}.ndjson" for number in range(3)
    )
    assert sorted(files.files) == sorted([NEWEST_NAME, INDEX_NAME, *report.files])
    assert (report.indexed, report.deleted) == (8, 4)
    assert sum(data.count(b'{"delete":') for data in files.files.values()) == 4


# The fields of a k-NN vector as OpenSearch's own clients declare them, those of a method, and of a query.
VECTOR_FIELD = {"type", "dimension", "data_type", "space_type", "method", "mode", "compression_level", "model_id"}
METHOD_FIELD = {"name", "engine", "space_type", "parameters"}


def test_a_vector_is_a_k_nn_field_of_its_length_in_bytes() -> None:
    files, vector = MemoryFiles(), FeatureVector.of("0" * 12, np.array([-1, 0.5, 0], np.float32))
    other = FeatureVector.of("1" * 12, np.array([1, 1], np.float32))
    seen = replace(tagged("a.jpg", boot=0.9), vector=vector)
    records = [seen, replace(tagged("b.jpg", boot=0.9), vector=other), tagged("c.jpg", boot=0.5)]
    BulkExporter(table_of(records), files, small_vocabulary(), lambda: NOW).export()

    index = json.loads(files.files[INDEX_NAME])
    field = index["mappings"]["properties"]["vector"]
    assert index["settings"] == {"index.knn": True}
    assert (field["type"], field["dimension"], field["data_type"]) == ("knn_vector", 3, "byte")
    assert (field["method"]["engine"], field["method"]["space_type"]) == ("lucene", "cosinesimil")
    assert set(field) <= VECTOR_FIELD
    assert set(field["method"]) <= METHOD_FIELD
    [part] = files.files[NEWEST_NAME].decode().split()
    documents = [json.loads(line) for line in files.files[part].splitlines() if line.startswith(b'{"image"')]
    assert [document.get("vector") for document in documents] == [[-127, 64, 0], None, None]
    assert [document.get("vector_space") for document in documents] == ["0" * 12, None, None]


def test_an_index_without_vectors_has_no_field_for_them() -> None:
    files = MemoryFiles()
    bulk_exporter(files, tagged("a.jpg", boot=0.9)).export()

    index = json.loads(files.files[INDEX_NAME])
    assert "settings" not in index
    assert index["mappings"]["properties"]["colours"] == {"type": "keyword"}
    assert "vector" not in index["mappings"]["properties"]


def bulk_exporter(files: FileStore, *records: Record, hour: int = 0) -> BulkExporter:
    """Return what exports these records in files of two images."""
    return BulkExporter(table_of(records), files, small_vocabulary(), lambda: NOW + timedelta(hours=hour), 2)


def test_the_list_is_written_last_and_names_the_newest_export_that_is_whole() -> None:
    files = Breaking(calls_left=1_000)
    photos = [tagged(f"{number}.jpg", boot=0.9) for number in range(6)]
    bulk_exporter(files, *photos).export()
    for calls in range(4):
        before = files.files[NEWEST_NAME]
        files.calls_left = calls
        with pytest.raises(RetryLater):
            bulk_exporter(files, *photos, hour=1).export()
        assert files.files[NEWEST_NAME] == before
    files.calls_left = 1_000
    report = bulk_exporter(files, photos[0], hour=2).export()

    assert files.files[NEWEST_NAME].decode().splitlines() == list(report.files)
    assert len(report.files) == 1


def loop_of_readme(engine: str) -> str:
    """Return the lines that README shows for an engine, without our own command and where it leads."""
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    lines = text.split(f"# {engine}")[1].split("\n\n")[0].split("```")[0].splitlines()[1:]
    return "\n".join(line for line in lines if not line.startswith("catalog-tagger"))


@pytest.mark.parametrize(
    ("engine", "paths"),
    [
        ("OpenSearch", ["/catalogue", "/_bulk", "/_bulk"]),
        ("Typesense", ["documents/import", "documents"]),
    ],
)
def test_the_lines_of_readme_load_the_newest_export_only(tmp_path: Path, engine: str, paths: list[str]) -> None:
    """An engine that is not there is asked: what curl would send is kept instead."""
    files = FolderFiles(tmp_path / "out")
    bulk_exporter(files, *(tagged(f"old-{number}.jpg", boot=0.9) for number in range(9))).export()
    bulk_exporter(files, tagged("a b.jpg", boot=0.9), gone("gone é.jpg"), tagged("c.jpg", boot=0.5), hour=1).export()
    newest = [tagged("a b.jpg", boot=0.9), gone("gone é.jpg"), tagged("c.jpg", boot=0.5)]
    write_format(Format.TYPESENSE, FormatOptions("en", StandardIds({})), newest, small_vocabulary(), files)
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(
        """#!/bin/sh
for word in "$@"; do
    case $word in
        @*) cat "${word#@}" >> "$SENT/data" ;;
        filter_by=*) echo "$word" >> "$SENT/deleted" ;;
        http*) echo "$word" >> "$SENT/asked" ;;
    esac
done
"""
    )
    curl.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{curl.parent}:{os.environ['PATH']}",
        "SENT": str(tmp_path),
        "OPENSEARCH": "http://engine",
        "TYPESENSE": "http://engine",
        "KEY": "key",
    }
    subprocess.run(["sh", "-euc", loop_of_readme(engine)], cwd=tmp_path, env=environment, check=True)

    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert [urlsplit(each).path.removeprefix("/collections/catalogue/") for each in asked] == paths
    sent = (tmp_path / "data").read_text(encoding="utf-8")
    documents = [json.loads(line) for line in sent.splitlines() if line.startswith(('{"image"', '{"id"'))]
    assert [each["image"] for each in documents] == ["s3://shop/a b.jpg", "s3://shop/c.jpg"]
    assert "old-" not in sent
    if engine == "Typesense":
        assert [each["id"] for each in documents] == [document_id(each["image"]) for each in documents]
        gone_id = document_id("s3://shop/gone é.jpg")
        assert (tmp_path / "deleted").read_text() == f"filter_by=id:[{gone_id}]\n"
    else:
        assert sent.count('{"delete":') == 1


def test_the_command_writes_them_and_says_so(stack: AwsWorld, tmp_path: Path) -> None:
    boot = Vocabulary.load().spelled("boot")[0]
    table = DynamoTable(stack.dynamodb, stack.name)
    table.put(tagged("a.jpg", **{boot: 0.9}), 0)
    table.put(gone("b.jpg"), 0)
    done = CliRunner().invoke(cli.export, [str(tmp_path / "out"), "--format", "opensearch-bulk", "--json"])
    said = json.loads(done.output)

    assert (said["indexed"], said["deleted"]) == (1, 1)
    assert len((tmp_path / "out" / said["files"][0]).read_text(encoding="utf-8").splitlines()) == 3
    assert done.exit_code == 0
