"""What a record table promises, asked of the fake, of DynamoDB on two emulators, and of Amazon's own."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws import dynamodb
from pipeline.errors import NoStack, RetryLater, RevisionConflict
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import Listing
from pipeline.memory.table import MemoryTable
from pipeline.records import (
    SCORE_STEPS,
    ClassScore,
    Decision,
    DecisionKind,
    GoneImage,
    Observation,
    Previous,
    RecordStatus,
    RecordSummary,
    RejectedImage,
    Rejection,
    TaggedImage,
    UndoneImage,
)
from pipeline.reject_reasons import RejectReason
from tests.aws_world import ODD_KEYS, AwsWorld, answer, refusal, some_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.ports import RecordTable
    from pipeline.records import Record


SLOW_WORLDS = [pytest.param(name, marks=pytest.mark.slow) for name in ("ministack", "amazons_dynamodb")]


@pytest.fixture(params=["fake", "moto", *SLOW_WORLDS])
def world(request: pytest.FixtureRequest) -> Iterator[AwsWorld | None]:
    """A table's AWS to work in; none for the fakes."""
    yield from some_world(request)


@pytest.fixture
def table(world: AwsWorld | None) -> RecordTable:
    """An empty table."""
    return MemoryTable() if world is None else dynamodb.DynamoTable(world.dynamodb, world.table())


def look_at(key: str, product: str = "p1", etag: str | None = '"e1"') -> Observation:
    """Return a look at the image of that key."""
    observed_at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    return Observation(
        image=ImageRef("shop", key),
        product=product,
        run_id="run-1",
        observed_at=observed_at,
        etag=etag,
        object_time=observed_at - timedelta(days=1) if etag else None,
        model_version="m1",
        taxonomy_version="t1",
    )


def tagged(key: str, product: str = "p1") -> TaggedImage:
    """Return a record of an image with two keywords."""
    return TaggedImage(
        observation=look_at(key, product),
        keywords=(KeywordTag("n04120489", 0.9876543210123), KeywordTag("shop-sneaker", 1.0, Source.HUMAN)),
        class_scores=(ClassScore(770, 65_000 / SCORE_STEPS), ClassScore(0, 1 / SCORE_STEPS)),
        width_pixels=1600,
        height_pixels=1200,
        low_information=True,
    )


LISTING = Listing("Läufer", "Acme", "12,90 €", "https://shop.example/7")
DECISIONS = (
    Decision("shop-sneaker", DecisionKind.PIN, datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC), "Zoë"),
    Decision("n03001627", DecisionKind.SUPPRESS, datetime(2026, 3, 2, tzinfo=UTC)),
)
DECIDED = replace(
    tagged("decided.jpg"),
    decisions=DECISIONS,
    overruled=(KeywordTag("n04120489", 0.5), KeywordTag("n03001627", 0.25)),
)
RECORDS = (
    replace(DECIDED, previous=Previous.of(DECIDED, '"e1"', "run-2")),
    RejectedImage(look_at("refused.jpg"), RejectReason.CORRUPT, "it ends", decisions=DECISIONS),
    GoneImage(look_at("gone.jpg", etag=None), decisions=DECISIONS),
    UndoneImage(look_at("undone.jpg", etag=None), decisions=DECISIONS),
    UndoneImage(look_at("undecided.jpg", etag=None)),
    tagged("a.jpg"),
    replace(tagged("listed.jpg"), observation=replace(look_at("listed.jpg"), listing=LISTING)),
    replace(tagged("none.jpg"), keywords=(), low_information=False),
    RejectedImage(look_at("b.jpg"), RejectReason.NOT_IMAGE, 'it is a <PDF>, "so" to speak: ü 😀'),
    RejectedImage(look_at("c.jpg", etag=None), RejectReason.DENIED, "not ours to read"),
    GoneImage(look_at("d.jpg", etag=None)),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.observation.image.key)
def test_a_record_rests_exactly_as_it_was_put(table: RecordTable, record: Record) -> None:
    table.put(record, 0)

    assert table.get_many([record.observation.image]) == {record.observation.image: replace(record, revision=1)}


def test_an_image_without_a_record_is_not_among_the_answers(table: RecordTable) -> None:
    table.put(tagged("a.jpg"), 0)

    assert table.get_many([ImageRef("shop", "other.jpg")]) == {}
    assert table.get_many([]) == {}


def test_an_image_that_is_asked_for_twice_is_answered_once(table: RecordTable) -> None:
    table.put(tagged("a.jpg"), 0)

    assert len(table.get_many([ImageRef("shop", "a.jpg")] * 3)) == 1


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key)[:30])
def test_odd_keys_and_products_rest_as_they_are(table: RecordTable, key: str) -> None:
    record = tagged(key, product=key)
    table.put(record, 0)

    assert table.get_many([record.observation.image]) == {record.observation.image: replace(record, revision=1)}
    assert table.of_product(key) == (replace(record, revision=1),)


def test_each_put_on_what_was_seen_makes_the_next_revision(table: RecordTable) -> None:
    for revision in range(3):
        table.put(tagged("a.jpg"), revision)

    [record] = table.get_many([ImageRef("shop", "a.jpg")]).values()
    assert record.revision == 3


@pytest.mark.parametrize("seen_revision", [0, 1, 3])
def test_a_put_on_another_revision_than_the_one_at_rest_is_stale(table: RecordTable, seen_revision: int) -> None:
    table.put(tagged("a.jpg"), 0)
    table.put(tagged("a.jpg", product="second"), 1)

    with pytest.raises(RevisionConflict, match=r"s3://shop/a\.jpg"):
        table.put(tagged("a.jpg", product="late"), seen_revision)

    [record] = table.get_many([ImageRef("shop", "a.jpg")]).values()
    assert (record.observation.product, record.revision) == ("second", 2)


def test_a_put_on_a_record_that_is_no_longer_there_is_stale(table: RecordTable) -> None:
    with pytest.raises(RevisionConflict):
        table.put(tagged("a.jpg"), 1)

    assert table.get_many([ImageRef("shop", "a.jpg")]) == {}


def test_of_puts_at_the_same_time_exactly_one_wins(table: RecordTable) -> None:
    table.put(tagged("a.jpg"), 0)
    start = threading.Barrier(4)

    def put(product: str) -> str | None:
        start.wait()
        try:
            table.put(tagged("a.jpg", product), 1)
        except RevisionConflict:
            return None
        return product

    with ThreadPoolExecutor(4) as threads:
        winners = [product for product in threads.map(put, "wxyz") if product]

    [record] = table.get_many([ImageRef("shop", "a.jpg")]).values()
    assert winners == [record.observation.product]
    assert record.revision == 2


def test_a_scan_yields_every_record_once(table: RecordTable) -> None:
    for record in RECORDS:
        table.put(record, 0)

    found = list(table.scan())

    assert {record.observation.image: record for record in found} == {
        record.observation.image: replace(record, revision=1) for record in RECORDS
    }
    assert len(found) == len(RECORDS)


def test_each_record_is_in_one_segment_of_a_scan(table: RecordTable) -> None:
    for record in RECORDS:
        table.put(record, 0)

    found = [record.observation.image for segment in range(3) for record in table.scan(segment, 3)]

    assert Counter(found) == Counter(record.observation.image for record in RECORDS)


def test_the_ends_are_those_of_the_records(table: RecordTable) -> None:
    for record in RECORDS:
        table.put(record, 0)

    found = list(table.summaries())

    assert Counter(found) == Counter(RecordSummary.of(record) for record in RECORDS)
    assert Counter(end.kind for end in found) == {
        RecordStatus.TAGGED: 4,
        RecordStatus.REJECTED: 3,
        RecordStatus.GONE: 2,
        RecordStatus.UNDONE: 2,
    }
    assert [end.image.key for end in found if end.kind is RecordStatus.TAGGED and not end.has_keyword] == ["none.jpg"]
    assert {end.reason for end in found} == {None, RejectReason.CORRUPT, RejectReason.NOT_IMAGE, RejectReason.DENIED}


def test_the_ends_bring_nothing_else_over_the_wire(moto: AwsWorld) -> None:
    table = dynamodb.DynamoTable(moto.dynamodb, moto.table())
    table.put(tagged("a.jpg"), 0)
    asked: list[dict[str, Any]] = []
    moto.dynamodb.meta.events.register("provide-client-params", lambda params, **_: asked.append(params))

    assert len(list(table.summaries())) == 1

    [params] = asked
    assert params["ProjectionExpression"] == "image,long_image,#status,reason,observed_at,revision,keywords[0]"


def test_the_records_of_a_product_come_by_image(table: RecordTable) -> None:
    for key in ("c.jpg", "a.jpg", "b.jpg"):
        table.put(tagged(key, product="boots"), 0)
    table.put(tagged("0.jpg", product="hats"), 0)

    found = table.of_product("boots")

    assert [record.observation.image.key for record in found] == ["a.jpg", "b.jpg", "c.jpg"]
    assert table.of_product("gloves") == ()


def test_a_record_that_changes_its_product_leaves_the_old_one(table: RecordTable) -> None:
    table.put(tagged("a.jpg", product="old"), 0)
    table.put(tagged("a.jpg", product="new"), 1)

    assert table.of_product("old") == ()
    assert len(table.of_product("new")) == 1


def test_the_images_that_were_rejected_for_a_reason_come_by_image(table: RecordTable) -> None:
    for record in (*RECORDS, RejectedImage(look_at("a/9.jpg", "p9"), RejectReason.CORRUPT, "it ends")):
        table.put(record, 0)

    assert list(table.rejected(RejectReason.CORRUPT)) == [
        Rejection(ImageRef("shop", "a/9.jpg"), "p9", RejectReason.CORRUPT, "it ends"),
        Rejection(ImageRef("shop", "refused.jpg"), "p1", RejectReason.CORRUPT, "it ends"),
    ]
    assert list(table.rejected(RejectReason.PIXELS)) == []


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key)[:30])
def test_an_odd_key_is_found_by_its_reason(table: RecordTable, key: str) -> None:
    table.put(RejectedImage(look_at(key, product=key), RejectReason.EMPTY, "no bytes"), 0)

    assert [each.image.key for each in table.rejected(RejectReason.EMPTY)] == [key]


def test_an_image_that_is_rejected_no_more_leaves_its_reason(table: RecordTable) -> None:
    table.put(RejectedImage(look_at("a.jpg"), RejectReason.CORRUPT, "it ends"), 0)
    table.put(tagged("a.jpg"), 1)

    assert list(table.rejected(RejectReason.CORRUPT)) == []


def test_a_hundred_records_are_read_by_one_call(world: AwsWorld | None, table: RecordTable) -> None:
    for at in range(250):
        table.put(tagged(f"{at}.jpg"), 0)

    found = table.get_many([ImageRef("shop", f"{at}.jpg") for at in range(250)])

    assert len(found) == 250
    if world is not None:
        assert world.calls["BatchGetItem"] == 3


@pytest.mark.parametrize("world", ["moto", *SLOW_WORLDS], indirect=True)
def test_a_table_that_is_not_there_is_no_stack(world: AwsWorld) -> None:
    absent = dynamodb.DynamoTable(world.dynamodb, "of-nobody")

    with pytest.raises(NoStack, match="of-nobody"):
        absent.get_many([ImageRef("shop", "a.jpg")])
    with pytest.raises(NoStack, match="of-nobody"):
        absent.put(tagged("a.jpg"), 0)
    with pytest.raises(NoStack, match="of-nobody"):
        list(absent.scan())
    with pytest.raises(NoStack, match="of-nobody"):
        absent.of_product("p")
    with pytest.raises(NoStack, match="of-nobody"):
        list(absent.rejected(RejectReason.EMPTY))


def test_keys_that_dynamodb_left_unprocessed_are_asked_for_again(moto: AwsWorld) -> None:
    key = {"image": {"S": "s3://shop/a.jpg"}}
    waits_s: list[float] = []
    left = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [key], "ConsistentRead": True}}}
    calls = answer(moto.dynamodb, left, left, {"Responses": {"t": []}, "UnprocessedKeys": {}})

    found = dynamodb.DynamoTable(moto.dynamodb, "t", sleep=waits_s.append).get_many([ImageRef("shop", "a.jpg")])

    assert found == {}
    assert calls["BatchGetItem"] == 3
    assert waits_s == [0.05, 0.1]


def test_keys_that_stay_unprocessed_are_tried_again_later(moto: AwsWorld) -> None:
    key = {"image": {"S": "s3://shop/a.jpg"}}
    answer(moto.dynamodb, {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [key]}}})

    with pytest.raises(RetryLater, match="keys stay unprocessed"):
        dynamodb.DynamoTable(moto.dynamodb, "t", sleep=lambda _: None).get_many([ImageRef("shop", "a.jpg")])


def test_a_throttled_table_is_tried_again_later(moto: AwsWorld) -> None:
    answer(moto.dynamodb, refusal("ProvisionedThroughputExceededException"))
    table = dynamodb.DynamoTable(moto.dynamodb, "t")

    with pytest.raises(RetryLater, match="t: ProvisionedThroughputExceededException"):
        table.put(tagged("a.jpg"), 0)
    with pytest.raises(RetryLater):
        table.get_many([ImageRef("shop", "a.jpg")])


def test_the_twin_forgets_tombstones_when_their_time_has_come() -> None:
    table = MemoryTable()
    tombstone = GoneImage(look_at("d.jpg", etag=None))
    table.put(tombstone, 0)
    table.put(tagged("a.jpg"), 0)

    table.expire(tombstone.expires_at - timedelta(seconds=1))
    assert len(table.records) == 2

    table.expire(tombstone.expires_at)
    assert [image.key for image in table.records] == ["a.jpg"]


def test_a_tombstone_expires_by_an_attribute_of_its_own(moto: AwsWorld) -> None:
    table = dynamodb.DynamoTable(moto.dynamodb, moto.table())
    tombstone = GoneImage(look_at("d.jpg", etag=None))
    table.put(tombstone, 0)
    table.put(tagged("a.jpg"), 0)

    items = {item["image"]["S"]: item for item in moto.dynamodb.scan(TableName=moto.name)["Items"]}

    assert items["s3://shop/d.jpg"]["expires_at"] == {"N": str(int(tombstone.expires_at.timestamp()))}
    assert "expires_at" not in items["s3://shop/a.jpg"]
