"""A write hangs past its function's end, its message is delivered again, and then the write lands."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import RevisionConflict
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import GoneImage
from tagging_lambda.reconcile import CLOSING_S, Outcome
from tests.builders import jpeg, shop, tagger

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.records import Record

IMAGE, RED, BLUE = shop("a.jpg"), jpeg("red"), jpeg("blue")
PATIENCE_S = 10


class HangingTable:
    """A table whose next write hangs until it is let go."""

    def __init__(self, table: MemoryTable) -> None:
        self.table, self.gate = table, threading.Event()
        self.entered, self.landed, self.error = threading.Event(), threading.Event(), None

    def get_many(self, images):
        return self.table.get_many(images)

    def put(self, record: Record, seen_revision: int) -> None:
        self.entered.set()
        self.gate.wait(PATIENCE_S)
        try:
            self.table.put(record, seen_revision)
        except RevisionConflict as error:
            self.error = error
            raise
        finally:
            self.landed.set()


@pytest.mark.parametrize(
    ("before", "during", "after"),
    [
        ([RED], None, RED),
        ([RED], BLUE, RED),
        ([RED, None], BLUE, None),
    ],
    ids=["deleted and put again", "replaced and put back", "a tombstone, and a photo that comes and goes"],
)
def test_a_write_that_lands_after_its_redelivery_fails(before, during, after) -> None:
    images, table = MemoryImages(), MemoryTable()
    worker = tagger(images=images, table=table)
    for data in before:
        put(images, data)
        worker.reconcile([TagImage(IMAGE)])
    hanging = HangingTable(table)
    with ThreadPoolExecutor(4) as pool:
        put(images, during)
        hung = tagger(images=images, table=hanging, pool=pool)
        [outcome] = hung.reconcile([TagImage(IMAGE)], time_left_once(hanging)).values()
        assert not isinstance(outcome, Outcome)
        put(images, after)
        worker.reconcile([TagImage(IMAGE)], redelivered={IMAGE})
        hanging.gate.set()
        assert hanging.landed.wait(PATIENCE_S)
    record = table.records[IMAGE]
    assert isinstance(hanging.error, RevisionConflict)
    assert isinstance(record, GoneImage) == (after is None)
    assert record.observation.etag == (None if after is None else images.objects[IMAGE].etag)


def put(images: MemoryImages, data: bytes | None) -> None:
    """Put the photo, or delete it."""
    if data is None:
        images.delete(IMAGE)
    else:
        images.put(IMAGE, data)


def time_left_once(hanging: HangingTable) -> Callable[[], float]:
    """Return a clock by which the function's time is over as soon as its write hangs."""
    return lambda: CLOSING_S if hanging.entered.wait(0.2) else 60.0


def test_a_first_delivery_that_finds_nothing_to_write_writes_nothing() -> None:
    images, table = MemoryImages(), MemoryTable()
    images.put(IMAGE, RED)
    worker = tagger(images=images, table=table)
    worker.reconcile([TagImage(IMAGE)])

    assert worker.reconcile([TagImage(IMAGE)]) == {IMAGE: Outcome.UNCHANGED}
    assert table.writes == 1


@pytest.mark.parametrize("data", [RED, b"no picture", None], ids=["tagged", "rejected", "gone"])
def test_a_redelivery_that_finds_nothing_to_change_renews_the_revision_alone(data) -> None:
    images, table = MemoryImages(), MemoryTable()
    put(images, data)
    worker = tagger(images=images, table=table)
    worker.reconcile([TagImage(IMAGE)])
    before = table.records[IMAGE]

    worker.reconcile([TagImage(IMAGE)], redelivered={IMAGE})

    assert table.records[IMAGE].revision == before.revision + 1
    assert table.records[IMAGE].observation == before.observation
    assert table.writes == 2


def test_an_image_whose_record_cannot_be_read_is_not_overwritten_and_costs_no_neighbour() -> None:
    images, table = MemoryImages(), MemoryTable()
    bad, good = shop("bad.jpg"), shop("good.jpg")
    for image in (bad, good):
        images.put(image, RED)
    table.damage(bad, "'paused' is not a status")

    outcomes = tagger(images=images, table=table).reconcile([TagImage(bad), TagImage(good)])

    assert str(outcomes[bad]) == "s3://shop/bad.jpg: 'paused' is not a status"
    assert outcomes[good] is Outcome.TAGGED
    assert bad not in table.records
