"""Decisions come to rest on records, one by one or thousands at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from pipeline.keywords import KeywordTag, Source
from pipeline.memory.table import MemoryTable
from pipeline.records import MAX_DECISIONS, DecisionKind, GoneImage, KeywordAction, RejectedImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.curate.decide import Decider, DecisionCounts, ResolvedWishes, Wish
from tagging_lambda.curate.decision_file import wishes_in
from tagging_lambda.curate.report import decided_document, decided_text
from tests.builders import TickingClock, shop
from tests.tagging_lambda.curate.conftest import VOCABULARY, ids, tagged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def decide(table, rewriter):
    """Decide, and return what became of it."""

    def decide(*wishes: Wish, by: str = "") -> DecisionCounts:
        counts = DecisionCounts()
        decider = Decider(table, rewriter, VOCABULARY, TickingClock(), by)
        for event in decider.decide(decider.resolve(wishes)):
            counts.add(event)
        return counts

    return decide


def pin(keyword_id: str, of: object = None) -> Wish:
    return Wish(KeywordAction.PIN, keyword_id, of or shop())


def suppress(keyword_id: str, of: object = None) -> Wish:
    return Wish(KeywordAction.SUPPRESS, keyword_id, of or shop())


def release(keyword_id: str, of: object = None) -> Wish:
    return Wish(KeywordAction.RELEASE, keyword_id, of or shop())


def test_a_pinned_keyword_is_on_record_at_once_with_who_and_when(table, decide):
    table.put(tagged(), 0)
    assert decide(pin("blue"), by="Zoë").changed == 1
    record = table.records[shop()]
    assert record.keywords[0] == KeywordTag("blue", 1.0, Source.HUMAN)
    [decision] = record.decisions
    assert (decision.kind, decision.by, decision.decided_at.year) == (DecisionKind.PIN, "Zoë", 2026)


def test_a_suppressed_keyword_is_gone_and_comes_back_when_it_is_released(table, decide):
    table.put(tagged(), 0)
    before = table.records[shop()].keywords
    decide(suppress("red"))
    assert ids(table.records[shop()].keywords) == ["paint"]
    decide(release("red"))
    assert table.records[shop()].keywords == before
    assert table.records[shop()].decisions == ()


def test_the_same_decision_again_changes_nothing_and_is_not_written(table, decide):
    table.put(tagged(), 0)
    decide(pin("blue"))
    writes, found = table.writes, decide(pin("blue"), release("green"))
    assert (found.changed, found.unchanged, table.writes) == (0, 1, writes)


def test_who_decided_first_stays_on_record_when_somebody_else_decides_the_same(table, decide):
    table.put(tagged(), 0)
    decide(pin("blue"), by="Zoë")
    [before] = table.records[shop()].decisions
    assert decide(pin("blue"), by="Ada").unchanged == 1
    assert table.records[shop()].decisions == (before,)


def test_the_newest_decision_on_a_keyword_counts(table, decide):
    table.put(tagged(), 0)
    decide(pin("red"), pin("blue"), suppress("red"))
    record = table.records[shop()]
    assert [(each.keyword_id, each.kind) for each in record.decisions] == [("blue", "pin"), ("red", "suppress")]
    assert ids(record.keywords) == ["blue", "paint"]


def test_a_products_decision_is_on_all_of_its_images_and_on_no_other(table, decide):
    for key, product in (("a.jpg", "p1"), ("b.jpg", "p1"), ("c.jpg", "p2")):
        table.put(tagged(key, product=product), 0)
    assert decide(pin("blue", "p1")).changed == 2
    assert [len(table.records[shop(key)].decisions) for key in ("a.jpg", "b.jpg", "c.jpg")] == [1, 1, 0]


def test_an_image_or_product_that_nobody_knows_is_named_and_the_rest_is_decided(table, decide):
    table.put(tagged(), 0)
    found = decide(pin("blue", shop("typo.jpg")), pin("blue", "p9"), pin("blue"))
    assert (found.changed, found.unknown) == (1, ["product p9", "s3://shop/typo.jpg"])
    assert "2 on no record; load them first: product p9, s3://shop/typo.jpg" in decided_text(found, (), VOCABULARY)
    assert json.dumps(decided_document(found))


@pytest.mark.parametrize(
    "record",
    [RejectedImage(tagged().observation, RejectReason.EMPTY, "no bytes"), GoneImage(tagged().observation)],
    ids=["rejected", "gone"],
)
def test_a_photo_that_is_rejected_or_gone_keeps_a_decision_for_later(table, decide, record):
    table.put(record, 0)
    decide(pin("blue"))
    assert table.records[shop()] == replace(record, revision=2, decisions=table.records[shop()].decisions)
    assert len(table.records[shop()].decisions) == 1


def test_a_look_at_the_same_moment_and_a_decision_are_both_kept(rewriter, decide, table):
    class Meddling(MemoryTable):
        def put(self, record, seen_revision):
            if record.decisions and self.writes == 1:
                super().put(tagged(colour="green"), 1)
            super().put(record, seen_revision)

    meddled = Meddling()
    meddled.put(tagged(), 0)
    counts = DecisionCounts()
    decider = Decider(meddled, replace(rewriter, table=meddled), VOCABULARY, TickingClock())
    for event in decider.decide(ResolvedWishes({shop(): [pin("blue")]})):
        counts.add(event)
    record = meddled.records[shop()]
    assert (ids(record.keywords), ids(record.model_keywords)) == (["blue", "paint", "green"], ["green", "paint"])
    assert (counts.changed, counts.failed) == (1, [])


def test_more_decisions_than_the_limit_are_a_mistake_that_names_it(table, decide):
    table.put(tagged(), 0)
    with pytest.raises(CallerError, match=r"s3://shop/a\.jpg would have 101 decisions; the limit is 100"):
        decide(*(pin(f"n{at:08}") for at in range(MAX_DECISIONS + 1)))
    assert table.records[shop()].decisions == ()


def test_a_thousand_images_are_read_a_hundred_at_a_time(table, decide):
    for at in range(1000):
        table.put(tagged(f"{at}.jpg"), 0)
    reads = table.reads
    assert decide(*(pin("blue", shop(f"{at}.jpg")) for at in range(1000))).changed == 1000
    assert table.reads - reads == 10


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    """Write a file of decisions and return its path."""

    def file(text: str) -> Path:
        path = tmp_path / "decisions.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return file


def test_a_file_decides_on_images_and_products_by_words_and_ids(file):
    path = file(
        "decision,keyword,image,product\n"
        "pin,blue de,s3://shop/a.jpg,\n"
        "Suppress,red,,p1\n"
        "release,shop-old,s3://shop/b c.jpg,\n"
        ",green,s3://shop/d.jpg,\n"
    )
    assert wishes_in(path, KeywordAction.PIN, VOCABULARY) == (
        pin("blue"),
        suppress("red", "p1"),
        release("shop-old", shop("b c.jpg")),
        pin("green", shop("d.jpg")),
    )


def test_a_file_without_a_column_for_decisions_means_the_commands_own(file):
    path = file("keyword,image\nred,s3://shop/a.jpg\n")
    assert wishes_in(path, KeywordAction.SUPPRESS, VOCABULARY) == (suppress("red"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\ns3://shop/a.jpg\n", r"decisions\.csv, line 1: there is no column keyword"),
        (
            "keyword,image\nrde,s3://shop/a.jpg\n",
            r"line 2, column keyword: no keyword is called 'rde'; did you mean red",
        ),
        ("keyword,image\nred,s3://shop/a.jpg\nred,a.jpg\n", r"line 3, column image: 'a\.jpg' is not a place in S3"),
        (
            "decision,keyword,image\npni,red,s3://shop/a.jpg\n",
            r"line 2, column decision: 'pni' is not one of pin, supp",
        ),
        ("keyword,image,product\nred,,\n", r"line 2, column image: each row names an image or a product, not both"),
        ("keyword,image,product\nred,s3://shop/a.jpg,p1\n", r"line 2, column image: each row names an image or a pro"),
        ("keyword,product\nred," + "p" * 1025 + "\n", r"line 2, column product: a product's id has 1 to 1,024 bytes"),
        ("keyword,image\nred\n", r"line 2: has 1 cells where the first line has 2"),
        ("keyword,image\n", r"holds no decision"),
        ("", r"is empty; its first line must name the column keyword"),
    ],
)
def test_a_mistake_in_a_file_is_said_by_line_and_column(file, text, message):
    with pytest.raises(CallerError, match=message):
        wishes_in(file(text), KeywordAction.PIN, VOCABULARY)
