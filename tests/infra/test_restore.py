"""What another table holds comes back: what is missing, and if that is wanted, what is otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from infra.restore import Restored, Restorer
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.progress import Progress
from tests.aws_world import AwsWorld
from tests.builders import InlineExecutor, jpeg, shop, tagger
from tests.infra.stack_account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.images import ImageRef
    from pipeline.records import Record

KEYS = ("a.jpg", "b.jpg", "c.jpg")


def records() -> dict[ImageRef, Record]:
    """Return the records of three images."""
    images, table = MemoryImages(), MemoryTable()
    for key in KEYS:
        images.put(shop(key), jpeg("red"))
    tagger(images=images, table=table).reconcile([TagImage(shop(key)) for key in KEYS])
    return table.records


def restored(source: MemoryTable, target: MemoryTable, **options: bool) -> Restored:
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
