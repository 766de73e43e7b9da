"""A record is changed on condition that nobody else wrote it meanwhile."""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import RetryLater, RevisionConflict
from pipeline.memory.table import MemoryTable
from pipeline.unreadable import UnreadableItem
from tagging_lambda.curate.rewrite import GROUP, WAITS_S, Rewriter
from tests.builders import InlineExecutor, shop
from tests.tagging_lambda.curate.conftest import tagged


def renamed(record):
    return replace(record, observation=replace(record.observation, product="new"))


def test_a_change_is_written_and_what_stays_as_it_is_costs_nothing(table, rewriter):
    for key in ("a.jpg", "b.jpg"):
        table.put(tagged(key), 0)
    found = list(rewriter.rewrite(table.scan(), lambda r: renamed(r) if r.observation.image == shop("a.jpg") else r))
    assert [each.is_change for each in found] == [True, False]
    assert table.records[shop("a.jpg")].observation.product == "new"
    assert table.writes == 3


def test_a_dry_run_says_the_same_and_writes_nothing(table, rewriter):
    table.put(tagged(), 0)
    [found] = replace(rewriter, dry_run=True).rewrite(table.scan(), renamed)
    assert (found.is_change, found.after.observation.product, table.writes) == (True, "new", 1)
    assert table.records[shop()].observation.product == "p1"


def test_what_somebody_else_wrote_meanwhile_is_changed_again_and_not_lost(table, rewriter):
    table.put(tagged(), 0)
    stale = list(table.scan())
    table.put(tagged(colour="blue"), 1)
    [found] = rewriter.rewrite(stale, renamed)
    at_rest = table.records[shop()]
    assert found.failure == ""
    assert (at_rest.observation.product, at_rest.keywords[0].keyword_id, at_rest.revision) == ("new", "blue", 3)


def test_what_is_no_longer_on_record_is_left_alone(table, rewriter):
    [found] = rewriter.rewrite([replace(tagged(), revision=1)], renamed)
    assert (found.is_change, found.failure, table.records) == (False, "", {})


def test_a_throttled_write_is_tried_again_and_fails_alone_in_the_end():
    class Throttled(MemoryTable):
        tries = 0

        def put(self, record, seen_revision):
            self.tries += 1
            raise RetryLater("ProvisionedThroughputExceededException")

    table, waits_s = Throttled(), []
    rewriter = Rewriter(table, InlineExecutor(), sleep=waits_s.append)
    [found] = rewriter.rewrite([tagged()], renamed)
    assert found.failure == f"{tagged().observation.image}: ProvisionedThroughputExceededException"
    assert (found.is_change, table.tries, waits_s) == (False, len(WAITS_S), list(WAITS_S))


def test_memory_does_not_grow_with_the_number_of_records(table, rewriter):
    """No record is taken before the ones far ahead of it are done."""
    taken = 0

    def records():
        nonlocal taken
        for _ in range(5 * GROUP):
            taken += 1
            yield tagged()

    for done, _ in enumerate(rewriter.rewrite(records(), lambda record: record), 1):
        assert taken - done <= GROUP


def test_a_throttled_read_after_a_lost_race_costs_no_other_record():
    class Raced(MemoryTable):
        def put(self, record, seen_revision):
            if record.observation.image == shop("b.jpg") and record.observation.product == "new":
                raise RevisionConflict("raced")
            super().put(record, seen_revision)

        def get_many(self, images):
            raise RetryLater("throttled")

    table, keys = Raced(), ("a.jpg", "b.jpg", "c.jpg")
    for key in keys:
        table.put(tagged(key), 0)
    rewriter = Rewriter(table, InlineExecutor(), sleep=lambda _: None)

    rewrites = list(rewriter.rewrite(table.scan(), renamed))

    assert [(rewrite.is_change, rewrite.failure) for rewrite in rewrites] == [
        (True, ""),
        (False, f"{shop('b.jpg')}: throttled"),
        (True, ""),
    ]


def test_a_throttle_that_passes_after_a_lost_race_is_no_failure():
    class Busy(MemoryTable):
        throttles = 1

        def get_many(self, images):
            self.throttles -= 1
            if self.throttles >= 0:
                raise RetryLater("throttled")
            return super().get_many(images)

    table = Busy()
    table.put(tagged(), 0)
    stale = list(table.scan())
    table.put(tagged(colour="blue"), 1)

    [rewrite] = Rewriter(table, InlineExecutor(), sleep=lambda _: None).rewrite(stale, renamed)

    assert (rewrite.is_change, rewrite.failure) == (True, "")
    assert (table.records[shop()].observation.product, table.records[shop()].keywords[0].keyword_id) == ("new", "blue")


def test_an_item_that_cannot_be_read_is_passed_on_and_left_alone(table, rewriter):
    for key in ("a.jpg", "b.jpg"):
        table.put(tagged(key), 0)
    table.damage(shop("a.jpg"))

    damaged, rewrite = rewriter.rewrite(table.scan(), renamed)

    assert isinstance(damaged, UnreadableItem)
    assert rewrite.is_change
    assert table.writes == 3
