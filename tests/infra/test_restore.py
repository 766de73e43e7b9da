"""What another table holds comes back: what is missing, and if that is wanted, what is otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from infra.restore import Restored, Restorer
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.errors import BadExport
from pipeline.folder import FolderFiles
from pipeline.keywords import KeywordTag, Source, Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.progress import Progress
from pipeline.records import Decision, DecisionKind, Previous, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import readable
from pipeline.vectors import FeatureVector
from results_sink.connect import export_place
from results_sink.export.export import Exporter
from results_sink.export.exported_records import BackedUpRecords
from tests.aws_world import AwsWorld
from tests.builders import InlineExecutor, jpeg, shop, tagger
from tests.infra.stack_account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.images import ImageRef
    from pipeline.records import Record
    from results_sink.connect import ExportPlace
    from results_sink.export.rows import RecordSource

KEYS = ("a.jpg", "b.jpg", "c.jpg")


def records() -> dict[ImageRef, Record]:
    """Return the records of three images."""
    images, table = MemoryImages(), MemoryTable()
    for key in KEYS:
        images.put(shop(key), jpeg("red"))
    tagger(images=images, table=table).reconcile([TagImage(shop(key)) for key in KEYS])
    return table.records


def restored(source: RecordSource, target: MemoryTable, **options: bool) -> Restored:
    with Progress("", quiet=True) as progress:
        return Restorer(source, target, InlineExecutor(), **options).restore(progress)


def damaged() -> tuple[MemoryTable, MemoryTable]:
    """Return a table as it was, and one in which a record is missing, and one is of another product."""
    source = MemoryTable(records())
    target = MemoryTable(dict(source.records))
    del target.records[shop("a.jpg")]
    other = target.records[shop("b.jpg")]
    target.records[shop("b.jpg")] = replace(other, observation=replace(other.observation, product="wrong"), revision=7)
    return source, target


def test_what_is_missing_comes_back_and_what_is_otherwise_stays() -> None:
    source, target = damaged()
    report = restored(source, target)

    assert report == Restored(found=3, same=1, missing=1, other=1)
    assert target.records[shop("a.jpg")] == source.records[shop("a.jpg")]
    assert target.records[shop("b.jpg")].observation.product == "wrong"
    assert target.writes == 1


def test_what_is_otherwise_gives_way_if_that_is_wanted_and_its_revision_goes_on() -> None:
    source, target = damaged()
    restored(source, target, over=True)

    assert target.records[shop("b.jpg")] == replace(source.records[shop("b.jpg")], revision=8)
    assert target.writes == 2


def test_a_second_time_nothing_is_left_to_bring_back() -> None:
    source, target = damaged()
    restored(source, target, over=True)

    assert restored(source, target, over=True) == Restored(found=3, same=3)


def test_a_rehearsal_writes_nothing() -> None:
    source, target = damaged()

    assert restored(source, target, over=True, dry_run=True) == Restored(found=3, same=1, missing=1, other=1)
    assert target.writes == 0


def test_what_somebody_writes_meanwhile_stays() -> None:
    source, target = damaged()

    class Overtaken(MemoryTable):
        def get_many(self, images):
            found = super().get_many(images)
            self.records[shop("a.jpg")] = source.records[shop("c.jpg")]
            return found

    assert restored(source, Overtaken(target.records)).overtaken == 1


# ---- From an export --------------------------------------------------------------------------------------------------

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def decided(record: Record) -> Record:
    """Return the record with all that a record can hold beside what the model said last."""
    decisions = (
        Decision("n00007846", DecisionKind.PIN, MOMENT, "zoë"),
        Decision("n02958343", DecisionKind.SUPPRESS, MOMENT),
    )
    if isinstance(record, RejectedImage):
        return replace(record, decisions=decisions)
    assert isinstance(record, TaggedImage)
    tags = (KeywordTag("n02958343", 0.1 + 0.2), KeywordTag("n00007846", 0.75, Source.HEAD))
    previous = Previous("run-0", MOMENT, "model-0", "words-0", tags, record.class_scores[:2], 16, 9, True)
    return replace(
        record,
        keywords=(KeywordTag("n00007846", 1.0, Source.HUMAN),),
        decisions=decisions,
        overruled=tags,
        previous=previous,
        vector=FeatureVector("0a1b2c3d4e5f", bytes(range(16)), 0.5),
    )


@pytest.fixture
def lost() -> MemoryTable:
    """The table that was exported and is gone: three records that were tagged, one of them rich, and a rejected one."""
    table = MemoryTable(records())
    broken = shop("broken.jpg")
    table.records[broken] = RejectedImage(
        replace(table.records[shop("a.jpg")].observation, image=broken), RejectReason.CORRUPT, "half a photo", 1
    )
    for image in (shop("a.jpg"), broken):
        table.records[image] = decided(table.records[image])
    return table


@pytest.fixture
def export_folder(lost: MemoryTable, tmp_path: Path) -> Path:
    """Its export."""
    folder = tmp_path / "export"
    Exporter(lost, FolderFiles(folder), Vocabulary.load(), lambda: "one").export(lambda records: records)
    return folder


def test_every_record_of_an_export_comes_back_as_it_was(lost: MemoryTable, export_folder: Path) -> None:
    found = readable(BackedUpRecords(place(export_folder)).scan())

    assert {record.observation.image: record for record in found} == lost.records


def test_a_lost_table_comes_back_from_an_export_and_a_second_time_nothing_is_left(export_folder: Path) -> None:
    target, source = MemoryTable(), BackedUpRecords(place(export_folder))

    assert restored(source, target) == Restored(found=4, missing=4)
    assert restored(source, target, over=True) == Restored(found=4, same=4)


def test_an_export_of_an_earlier_version_is_refused_with_the_way_out(export_folder: Path) -> None:
    scan = BackedUpRecords(place(export_folder))._record

    with pytest.raises(BadExport, match=r"earlier version.*`catalog-tagger export`"):
        scan({"backup": None})


def place(folder: Path) -> ExportPlace:
    return export_place(str(folder), {})


@pytest.mark.parametrize("words", [[], ["table", "--from", "folder"]])
def test_restore_needs_exactly_one_source(words: list[str], capsys) -> None:
    assert main(["restore", *words]) == 2
    assert "name one table, TABLE, or one export" in capsys.readouterr().err


@pytest.mark.slow
def test_a_stack_is_brought_back_from_its_export_as_typed(  # noqa: PLR0913, PLR0917 - a fixture each
    ministack: str, tmp_path: Path, export_folder: Path, aws_environment: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    account = Account(ministack, tmp_path, asleep=True)
    stack = account.deploy()
    table = DynamoTable(client("dynamodb", ministack), stack.table_name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.setenv("CATALOG_TAGGER_STACK", account.name)

    assert main(["restore", "--from", str(export_folder), "--dry-run"]) == 0
    assert "4 were missing here and would come back" in capsys.readouterr().out
    assert main(["restore", "--from", str(export_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == 4
    by_key = {record.observation.image.key: record for record in readable(table.scan())}
    assert [decision.by for decision in by_key["a.jpg"].decisions] == ["zoë", ""]
    assert main(["restore", "--from", str(tmp_path / "nothing")]) != 0


@pytest.mark.slow
def test_a_table_of_a_point_in_time_comes_back_into_the_stacks(
    ministack: str, tmp_path: Path, aws_environment: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    account, world = Account(ministack, tmp_path, asleep=True), AwsWorld(ministack)
    stack, name = account.deploy(), world.table()
    for record in records().values():
        DynamoTable(world.dynamodb, name).put(record, 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.setenv("CATALOG_TAGGER_STACK", account.name)

    assert main(["restore", name, "--dry-run"]) == 0
    assert "3 were missing here and would come back" in capsys.readouterr().out
    assert main(["restore", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == 3
    assert len(list(DynamoTable(client("dynamodb", ministack), stack.table_name).scan())) == 3
    assert main(["restore", stack.table_name]) == 2
    assert main(["restore", "no-such-table"]) != 0
