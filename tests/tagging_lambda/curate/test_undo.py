"""A run is taken back, and only that."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.memory.images import MemoryImages
from pipeline.messages import TagImage
from pipeline.records import Decision, DecisionKind, GoneImage, Previous, RejectedImage, TaggedImage, UndoneImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.curate.report import undone_document, undone_text
from tagging_lambda.curate.undo import UndoCounts, Undoer
from tagging_lambda.words.decisions import with_keywords
from tests.builders import ColourClassifier, TickingClock, jpeg, shop, tagger
from tests.tagging_lambda.curate.conftest import AT, VOCABULARY, ids, tagged


class Confused(ColourClassifier):
    """A model that takes every colour for the next one."""

    def classify(self, pixels):
        return super().classify(pixels[:, [2, 0, 1]])


@pytest.fixture
def undo(rewriter):
    """Take a run back, and return what became of the images."""

    def undo(run_id: str, *, dry_run: bool = False) -> UndoCounts:
        counts = UndoCounts(run_id)
        undoer = Undoer(replace(rewriter, dry_run=dry_run), run_id, VOCABULARY, TickingClock())
        for event in undoer.undo(rewriter.table.scan()):
            counts.add(event)
        return counts

    return undo


@pytest.fixture
def observed_at(table):
    """Look at a photo of that colour in a run, with a model that is right or one that is not."""
    images = MemoryImages()

    def observed_at(run_id: str, colour: str = "red", *, model: ColourClassifier | None = None) -> TaggedImage:
        images.put(shop(), jpeg(colour), AT)
        tagger(images=images, table=table, classifier=model).reconcile([TagImage(shop(), run_id)])
        return table.records[shop()]

    return observed_at


def test_a_run_with_a_worse_model_is_taken_back_to_exactly_what_was_before(table, undo, observed_at):
    before = observed_at("run-1")
    assert ids(observed_at("run-2", model=Confused("colours-2")).keywords) == ["green", "paint"]
    assert undo("run-2").restored == 1
    assert table.records[shop()] == replace(before, revision=3)


def test_what_a_run_saw_first_becomes_as_if_nobody_had_looked(table, undo, observed_at):
    seen = observed_at("run-1")
    assert undo("run-1").emptied == 1
    record = table.records[shop()]
    assert isinstance(record, UndoneImage)
    assert (record.observation.etag, record.observation.model_version, record.observation.product) == (
        None,
        "",
        seen.observation.product,
    )
    observed_at("run-2")
    assert ids(table.records[shop()].keywords) == ["red", "paint"]


def test_a_photo_that_was_replaced_since_is_not_given_the_old_photos_keywords(table, undo, observed_at):
    observed_at("run-1", "red")
    observed_at("run-2", "blue", model=Confused("colours-2"))
    assert undo("run-2").emptied == 1
    assert isinstance(table.records[shop()], UndoneImage)


def test_decisions_outlive_the_run_they_were_made_in(table, undo, observed_at):
    observed_at("run-1")
    record = observed_at("run-2", model=Confused("colours-2"))
    decisions = (Decision("blue", DecisionKind.PIN, AT),)
    table.put(with_keywords(record, record.model_keywords, decisions, VOCABULARY), record.revision)
    undo("run-2")
    record = table.records[shop()]
    assert (ids(record.keywords), record.decisions) == (["blue", "paint", "red"], decisions)
    undo("run-1")
    assert isinstance(table.records[shop()], UndoneImage)
    assert table.records[shop()].decisions == decisions


def test_a_rejection_of_the_same_file_is_taken_back_too(table, undo):
    before = tagged()
    rejected = RejectedImage(
        replace(before.observation, run_id="run-2"),
        RejectReason.CORRUPT,
        "too strict",
        previous=Previous.of(before, before.observation.etag, "run-2"),
    )
    table.put(rejected, 0)
    undo("run-2")
    assert table.records[shop()] == replace(before, revision=2)


def test_other_runs_and_tombstones_stay(table, undo):
    table.put(tagged("other.jpg", run_id="run-1"), 0)
    table.put(GoneImage(replace(tagged("gone.jpg").observation, run_id="run-2")), 0)
    before = dict(table.records)
    found = undo("run-2")
    assert (found.others, found.gone, found.restored, found.emptied) == (1, 1, 0, 0)
    assert table.records == before


def test_a_run_that_was_taken_back_does_not_come_back_with_the_run_after_it(table, undo, observed_at):
    observed_at("run-1", model=Confused("colours-0"))
    observed_at("run-2")
    undo("run-1")
    assert ids(table.records[shop()].keywords) == ["red", "paint"]
    assert undo("run-2").emptied == 1


def test_a_dry_run_says_the_same_and_writes_nothing(table, undo, observed_at):
    observed_at("run-1")
    observed_at("run-2", model=Confused("colours-2"))
    before = dict(table.records)
    dry = undo("run-2", dry_run=True)
    assert table.records == before
    assert dry == undo("run-2")


def test_a_second_undo_of_the_same_run_finds_nothing_more(table, undo, observed_at):
    observed_at("run-1")
    undo("run-1")
    before = dict(table.records)
    assert undo("run-1").written_last == 0
    assert table.records == before


def test_the_report_says_what_becomes_of_the_images():
    counts = UndoCounts("run-2", restored=1200, emptied=3, others=7)
    assert "restored         1,200  have the keywords again" in undone_text(counts, "run-2", dry_run=False)
    assert (
        undone_text(UndoCounts("run-9", others=7), "run-9", dry_run=False)
        == "no image was written last by the run run-9"
    )
    assert json.loads(json.dumps(undone_document(counts, "run-2", dry_run=True)))["restored"] == 1200


def test_a_record_that_cannot_be_read_is_counted_and_the_others_are_taken_back(table, undo, observed_at):
    observed_at("run-1")
    table.put(tagged("bad.jpg", run_id="run-1"), 0)
    table.damage(shop("bad.jpg"), "'paused' is not a status")

    counts = undo("run-1")

    assert (counts.emptied, counts.unreadable.count) == (1, 1)
    assert "unreadable          1  s3://shop/bad.jpg: 'paused' is not a status" in undone_text(
        counts, "run-1", dry_run=False
    )
    assert undone_document(counts, "run-1", dry_run=False)["unreadable_records"] == 1
