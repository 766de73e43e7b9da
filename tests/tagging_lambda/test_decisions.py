"""People win, and last: over every look, model and taxonomy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.keywords import KeywordTag, Source, Use
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import Decision, DecisionKind, GoneImage, RejectedImage, TaggedImage, UndoneImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.words.decisions import decided, with_keywords
from tests.builders import ColourClassifier, colour_vocabulary, jpeg, keyword, shop, tagger, vocabulary_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = (KeywordTag("boot", 0.9), KeywordTag("footwear", 0.95))
VOCABULARY = vocabulary_of(
    [
        keyword("goods", use=Use.THROUGH),
        keyword("footwear", "goods"),
        keyword("boot", "footwear"),
        keyword("sandal", "footwear"),
        keyword("hat", "goods"),
    ],
    "t1",
)


def pin(keyword_id: str) -> Decision:
    return Decision(keyword_id, DecisionKind.PIN, AT)


def suppress(keyword_id: str) -> Decision:
    return Decision(keyword_id, DecisionKind.SUPPRESS, AT)


def test_without_decisions_the_models_keywords_are_the_images():
    assert decided(MODEL, (), VOCABULARY) == MODEL


def test_a_pinned_keyword_is_certain_and_a_humans():
    assert decided(MODEL, (pin("hat"),), VOCABULARY) == (KeywordTag("hat", 1.0, Source.HUMAN), *MODEL)


def test_a_pinned_keyword_brings_what_is_above_it_but_nothing_that_is_only_structure():
    assert decided((), (pin("sandal"),), VOCABULARY) == (
        KeywordTag("sandal", 1.0, Source.HUMAN),
        KeywordTag("footwear", 1.0, Source.HUMAN),
    )


def test_a_pinned_keyword_that_the_model_says_too_stands_once():
    found = decided(MODEL, (pin("boot"),), VOCABULARY)
    assert found == (KeywordTag("boot", 1.0, Source.HUMAN), KeywordTag("footwear", 1.0, Source.HUMAN))


def test_a_suppressed_keyword_is_absent_and_what_is_above_it_stays():
    assert decided(MODEL, (suppress("boot"),), VOCABULARY) == (KeywordTag("footwear", 0.95),)


def test_what_is_below_a_suppressed_keyword_stays():
    assert decided(MODEL, (suppress("footwear"),), VOCABULARY) == (KeywordTag("boot", 0.9),)


def test_a_suppressed_keyword_is_not_brought_by_a_pinned_one_below_it():
    found = decided(MODEL, (pin("sandal"), suppress("footwear")), VOCABULARY)
    assert [tag.keyword_id for tag in found] == ["sandal", "boot"]


def test_a_pinned_keyword_that_the_taxonomy_no_longer_has_stays():
    assert decided((), (pin("n99999999"),), VOCABULARY) == (KeywordTag("n99999999", 1.0, Source.HUMAN),)


# ---- over every look -------------------------------------------------------------------------------------------------

BOTH = (pin("blue"), suppress("red"))


@pytest.fixture
def reconciler():
    """A tagger whose one photo is red, on which a person said: blue, and not red."""
    reconciler = tagger()
    reconciler.images.put(shop(), jpeg("red"))
    reconciler.reconcile([TagImage(shop(), "run-1")])
    record = reconciler.table.records[shop()]
    reconciler.table.put(
        with_keywords(record, record.model_keywords, BOTH, reconciler.mapper.vocabulary), record.revision
    )
    return reconciler


def ids(record: TaggedImage) -> list[str]:
    return [tag.keyword_id for tag in record.keywords]


def test_what_the_model_said_is_not_forgotten(reconciler):
    record = reconciler.table.records[shop()]
    assert ids(record) == ["blue", "paint"]
    assert [tag.keyword_id for tag in record.model_keywords] == ["red", "paint"]
    released = with_keywords(record, record.model_keywords, (), reconciler.mapper.vocabulary)
    assert (ids(released), released.overruled) == (["red", "paint"], ())


def test_decisions_survive_another_look(reconciler):
    before = reconciler.table.records[shop()]
    reconciler.reconcile([TagImage(shop(), "run-2")])
    assert reconciler.table.records[shop()] == before


def test_decisions_survive_a_new_model(reconciler):
    newer = tagger(table=reconciler.table, images=reconciler.images, classifier=ColourClassifier("colours-2"))
    newer.reconcile([TagImage(shop(), "run-2")])
    record = reconciler.table.records[shop()]
    assert (record.observation.model_version, ids(record), record.decisions) == ("colours-2", ["blue", "paint"], BOTH)


def test_decisions_survive_a_new_taxonomy(reconciler):
    newer = tagger(table=reconciler.table, images=reconciler.images, vocabulary=colour_vocabulary("words-2"))
    newer.reconcile([TagImage(shop(), "run-2")])
    record = reconciler.table.records[shop()]
    assert (record.observation.taxonomy_version, ids(record), record.decisions) == ("words-2", ["blue", "paint"], BOTH)


def test_decisions_survive_a_photo_that_is_replaced(reconciler):
    reconciler.images.put(shop(), jpeg("green"))
    reconciler.reconcile([TagImage(shop())])
    record = reconciler.table.records[shop()]
    assert (ids(record), record.decisions) == (["blue", "paint", "green"], BOTH)


def test_decisions_survive_a_photo_that_is_rejected_and_mended(reconciler):
    reconciler.images.put(shop(), b"no picture")
    reconciler.reconcile([TagImage(shop())])
    rejected = reconciler.table.records[shop()]
    assert isinstance(rejected, RejectedImage)
    assert (rejected.reason, rejected.decisions) == (RejectReason.NOT_IMAGE, BOTH)
    reconciler.images.put(shop(), jpeg("red"))
    reconciler.reconcile([TagImage(shop())])
    assert ids(reconciler.table.records[shop()]) == ["blue", "paint"]


def test_decisions_survive_a_photo_that_is_deleted_and_comes_back(reconciler):
    reconciler.images.delete(shop())
    reconciler.reconcile([TagImage(shop())])
    gone = reconciler.table.records[shop()]
    assert isinstance(gone, GoneImage)
    assert gone.decisions == BOTH
    reconciler.images.put(shop(), jpeg("red"))
    reconciler.reconcile([TagImage(shop())])
    assert ids(reconciler.table.records[shop()]) == ["blue", "paint"]


def test_an_undone_photo_is_looked_at_again_and_keeps_its_product_and_decisions(reconciler):
    before = reconciler.table.records[shop()]
    undone = replace(
        before.observation, product="chair", etag=None, object_time=None, model_version="", taxonomy_version=""
    )
    reconciler.table.put(UndoneImage(undone, decisions=BOTH), before.revision)
    reconciler.reconcile([TagImage(shop())])
    record = reconciler.table.records[shop()]
    assert (ids(record), record.observation.product) == (["blue", "paint"], "chair")


def test_a_look_keeps_what_the_run_before_said_of_the_same_photo_and_of_no_other():
    images, table = MemoryImages(), MemoryTable()
    images.put(shop(), jpeg("red"))
    tagger(table=table, images=images).reconcile([TagImage(shop(), "run-1")])
    assert table.records[shop()].previous is None
    newer = tagger(table=table, images=images, classifier=ColourClassifier("colours-2"))
    newer.reconcile([TagImage(shop(), "run-2")])
    previous = table.records[shop()].previous
    assert (previous.run_id, previous.model_version) == ("run-1", "colours-1")
    images.put(shop(), jpeg("green"))
    newer.reconcile([TagImage(shop(), "run-3")])
    assert table.records[shop()].previous is None


def test_a_rejection_keeps_what_was_said_of_the_same_file():
    """A decoder may become stricter: the run that rejects then can be taken back."""

    class Strict:
        def read(self, data, limit_s=None):
            from pipeline.errors import ImageRejected  # noqa: PLC0415 - of this test alone

            raise ImageRejected(RejectReason.CORRUPT, "too strict")

    images, table = MemoryImages(), MemoryTable()
    images.put(shop(), jpeg("red"))
    tagger(table=table, images=images).reconcile([TagImage(shop(), "run-1")])
    strict = tagger(table=table, images=images, classifier=ColourClassifier("colours-2"), reader=Strict())
    strict.reconcile([TagImage(shop(), "run-2")])
    record = table.records[shop()]
    assert isinstance(record, RejectedImage)
    assert record.previous.run_id == "run-1"


def test_a_decision_about_a_colour_makes_and_takes_no_keyword():
    assert decided(MODEL, (pin("colour-red"), suppress("colour-blue")), VOCABULARY) == MODEL
