"""One item that cannot be read costs itself alone, whoever reads the table."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import table_layout
from pipeline.aws.dynamodb import DynamoTable
from pipeline.errors import RevisionConflict
from pipeline.memory.table import MemoryTable
from pipeline.records import RecordStatus, RecordSummary, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.stream import Change, changes_of
from pipeline.unreadable import EXAMPLES, UnreadableItem, UnreadableItems
from tests.pipeline.test_record_table import look_at, tagged

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import RecordTable
    from pipeline.records import Record
    from tests.aws_world import AwsWorld

    Damage = Callable[[Record], None]

LAYOUTS = sorted((Path(__file__).parent / "layouts").glob("*.json"))
BAD, GOOD = tagged("bad.jpg"), tagged("good.jpg")
REFUSED = RejectedImage(look_at("refused.jpg"), RejectReason.CORRUPT, "it ends")
DAMAGES = {
    "an unknown status": {"status": {"S": "paused"}},
    "an unknown reason": {"status": {"S": "rejected"}, "reason": {"S": "from_the_future"}, "detail": {"S": "x"}},
    "no revision": {"revision": None},
    "a broken time": {"observed_at": {"S": "yesterday"}},
    "a time of another type": {"observed_at": {"N": "7"}},
    "no status": {"status": None},
    "scores cut short": {"class_scores": {"B": b"abc"}},
    "a keyword without a score": {"keywords": {"L": [{"M": {"id": {"S": "boot"}}}]}},
    "a run of another type": {"run_id": {"L": []}},
}


@pytest.fixture(params=["fake", "dynamodb"])
def table(request: pytest.FixtureRequest) -> RecordTable:
    """An empty table."""
    if request.param == "fake":
        return MemoryTable()
    moto: AwsWorld = request.getfixturevalue("moto")
    return DynamoTable(moto.dynamodb, moto.table())


@pytest.fixture
def damage(table: RecordTable) -> Damage:
    """Make the item of a record unreadable."""

    def damage(record: Record) -> None:
        if isinstance(table, MemoryTable):
            table.damage(record.observation.image)
        else:
            damage_item(table, record, {"observed_at": {"S": "yesterday"}})

    return damage


def damage_item(table: DynamoTable, record: Record, attributes: dict[str, Any]) -> None:
    """Replace attributes of the record's item, or remove those that are None."""
    key = {"image": {"S": str(record.observation.image)}}
    item = table.dynamodb.get_item(TableName=table.name, Key=key)["Item"] | attributes
    table.dynamodb.put_item(TableName=table.name, Item={n: v for n, v in item.items() if v is not None})


def test_every_reader_of_many_goes_on_and_names_the_unreadable_item(table: RecordTable, damage: Damage) -> None:
    for record in (BAD, GOOD, REFUSED):
        table.put(record, 0)
    damage(BAD)

    name = str(BAD.observation.image)
    assert {str(BAD.observation.image)} == {item.key for item in table.scan() if isinstance(item, UnreadableItem)}
    assert len(list(table.scan())) == len(list(table.summaries())) == 3
    assert [item.key for item in table.summaries() if isinstance(item, UnreadableItem)] == [name]
    images = [record.observation.image for record in (BAD, GOOD)]
    answers = table.get_many(images)
    assert isinstance(answers[images[0]], UnreadableItem)
    assert isinstance(answers[images[1]], TaggedImage)
    assert [type(item) for item in table.of_product("p1")] == [UnreadableItem, TaggedImage, RejectedImage]


def test_an_unreadable_rejection_does_not_hide_the_others(table: RecordTable, damage: Damage) -> None:
    other = RejectedImage(look_at("other.jpg"), RejectReason.CORRUPT, "it ends")
    for record in (REFUSED, other):
        table.put(record, 0)
    if isinstance(table, MemoryTable):
        damage(REFUSED)
    else:
        damage_item(table, REFUSED, {"detail": None})

    answers = list(table.rejected(RejectReason.CORRUPT))

    assert [isinstance(item, UnreadableItem) for item in answers] == [False, True]


def test_a_write_never_replaces_what_cannot_be_read(table: RecordTable, damage: Damage) -> None:
    table.put(BAD, 0)
    damage(BAD)

    with pytest.raises(RevisionConflict):
        table.put(BAD, 0)


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_one_unreadable_item_that_says_its_problem(moto: AwsWorld, name: str) -> None:
    table = DynamoTable(moto.dynamodb, moto.table())
    table.put(BAD, 0)
    table.put(GOOD, 0)
    damage_item(table, BAD, DAMAGES[name])

    [item] = [item for item in table.scan() if isinstance(item, UnreadableItem)]

    assert (item.key, item.image) == ("s3://shop/bad.jpg", BAD.observation.image)
    assert item.problem
    assert len(list(table.scan())) == 2


@pytest.mark.parametrize("status", ["paused", "", "TAGGED"])
def test_an_unknown_status_never_counts_as_tagged(status: str) -> None:
    item = table_layout.to_item(BAD, 1) | {"status": status}

    assert isinstance(table_layout.read_record(item), UnreadableItem)
    assert isinstance(table_layout.read_summary(item), UnreadableItem)


def test_a_poisoned_change_does_not_hold_up_the_one_behind_it() -> None:
    event = {"Records": [change(BAD, {"status": {"S": "paused"}}), change(GOOD, {})]}

    poisoned, good = changes_of(event)

    assert isinstance(poisoned, UnreadableItem)
    assert isinstance(good, Change)
    assert good.record.observation.image == GOOD.observation.image


def change(record: Record, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the record's entry in an event of the stream, with these attributes in its item."""
    from pipeline.aws.dynamodb import _to_wire  # noqa: PLC0415 - the wire form is nobody else's business

    item = _to_wire(table_layout.to_item(record, 1)) | attributes
    item["class_scores"] = {"B": base64.b64encode(bytes(item["class_scores"]["B"])).decode()}
    return {"dynamodb": {"SequenceNumber": "1", "ApproximateCreationDateTime": 1.0, "NewImage": item}}


def test_a_reader_of_millions_keeps_a_few_examples() -> None:
    unreadable = UnreadableItems()
    items = [UnreadableItem(str(number), "broken") for number in range(100)]

    assert list(unreadable.exclude_from([1, *items, 2])) == [1, 2]
    assert (unreadable.count, len(unreadable.examples)) == (100, EXAMPLES)


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_items_of_every_released_layout_are_read(path: Path, moto: AwsWorld) -> None:
    """An attribute that a later version adds must be optional; this file is never changed, only added to."""
    table = DynamoTable(moto.dynamodb, moto.table())
    for item in json.loads(path.read_text()):
        moto.dynamodb.put_item(TableName=table.name, Item=_with_bytes(item))

    records = list(table.scan())

    assert {type(record).__name__ for record in records} == {
        "TaggedImage",
        "RejectedImage",
        "GoneImage",
        "UndoneImage",
    }
    assert all(isinstance(summary, RecordSummary) for summary in table.summaries())
    assert {summary.kind for summary in table.summaries() if isinstance(summary, RecordSummary)} == set(RecordStatus)


def test_attributes_of_a_later_version_are_no_obstacle() -> None:
    item = table_layout.to_item(GOOD, 3) | {"vector_of_tomorrow": b"\x00", "facts_of_tomorrow": ["a"]}

    record = table_layout.read_record(item)

    assert isinstance(record, TaggedImage)
    assert record.revision == 3


def _with_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_bytes(element) for element in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"B"}:
        return {"B": base64.b64decode(value["B"])}
    return {name: _with_bytes(element) for name, element in value.items()}
