"""Other engines load what is exported for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from pipeline.aws import DynamoTable
from pipeline.keywords import Vocabulary
from pipeline.memory import MemoryFiles
from results_sink import cli
from results_sink.bulk import BulkExporter, bulk_lines
from tests.results_sink.small_shop import NOW, gone, small_shop, small_vocabulary, table_of, tagged

if TYPE_CHECKING:
    from pathlib import Path

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
    assert sorted(files.files) == list(report.files)
    assert (report.indexed, report.deleted) == (8, 4)
    assert sum(data.count(b'{"delete":') for data in files.files.values()) == 4


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
