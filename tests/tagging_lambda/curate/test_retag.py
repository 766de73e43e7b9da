"""A new taxonomy is applied to the whole table without any inference."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline import table_layout
from pipeline.colours import decided_colours
from pipeline.keywords import Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.model_version import CARD_NAME
from pipeline.records import Decision, DecisionKind, GoneImage, RejectedImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.classify import Classifier
from tagging_lambda.curate.report import retagged_document, retagged_text
from tagging_lambda.curate.retag import EXAMPLES, RetagCounts, Retagger
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.model_card import ModelCard
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.decisions import with_keywords
from tagging_lambda.words.remap import remapped
from tests.builders import COLOURS, keyword, shop, tagger, vocabulary_of
from tests.tagging_lambda.curate.conftest import AT, VOCABULARY, ids, tagged

# Red is no longer said below 0.99, and what is green is also a plant.
NEWER = vocabulary_of(
    [
        keyword("paint"),
        keyword("plant"),
        keyword("red", "paint", threshold=0.99),
        keyword("green", "paint", "plant"),
        keyword("blue", "paint"),
    ],
    "words-2",
)


def retag(rewriter, **parts):
    counts = RetagCounts("colours-1")
    defaults = {"mapper": KeywordMapper.of(NEWER, COLOURS), "model_version": "colours-1", "run_id": "retag-1"}
    for event in Retagger(rewriter, **(defaults | parts)).retag(rewriter.table.scan()):
        counts.add(event)
    return counts


def fill(table):
    for key, colour in (("red.jpg", "red"), ("green.jpg", "green"), ("blue.jpg", "blue")):
        table.put(tagged(key, colour), 0)


def test_keywords_follow_the_new_taxonomy_and_say_which_run_changed_them(table, rewriter):
    fill(table)
    found = retag(rewriter)
    assert (found.touched, found.same, found.gained, found.lost) == (2, 1, {"plant": 1}, {"red": 1})
    green = table.records[shop("green.jpg")]
    assert (ids(green.keywords), green.observation.run_id) == (["green", "plant", "paint"], "retag-1")
    assert {record.observation.taxonomy_version for record in table.scan()} == {"words-2"}


def test_an_image_whose_keywords_stay_remains_the_run_s_that_gave_them(table, rewriter):
    fill(table)
    retag(rewriter)
    blue = table.records[shop("blue.jpg")]
    assert (blue.observation.run_id, blue.observation.taxonomy_version, blue.previous) == ("run-1", "words-2", None)


def test_a_dry_run_says_the_same_and_writes_nothing(table, rewriter):
    fill(table)
    before = dict(table.records)
    dry = retag(replace(rewriter, dry_run=True))
    assert table.records == before
    assert dry == retag(rewriter)


def test_a_second_run_goes_on_where_the_first_one_stopped(table, rewriter):
    for at in range(10):
        table.put(tagged(f"{at}.jpg", "green"), 0)
    retagger = Retagger(rewriter, KeywordMapper.of(NEWER, COLOURS), "colours-1", "retag-1")
    list(retagger.retag(list(table.scan())[:4]))
    writes = table.writes
    found = retag(rewriter, run_id="retag-2")
    assert (found.touched, found.current, table.writes - writes) == (6, 4, 6)


def test_all_also_applies_rules_that_changed_under_the_same_version(table, rewriter):
    table.put(replace(tagged("a.jpg", "red"), keywords=()), 0)
    assert retag(rewriter, mapper=KeywordMapper.of(VOCABULARY, COLOURS)).current == 1
    assert retag(rewriter, mapper=KeywordMapper.of(VOCABULARY, COLOURS), everything=True).touched == 1
    assert ids(table.records[shop()].keywords) == ["red", "paint"]


def test_class_scores_of_another_model_are_left_for_another_look(table, rewriter):
    table.put(tagged(model_version="colours-0"), 0)
    before = table.records[shop()]
    assert retag(rewriter).other_model == 1
    assert table.records[shop()] == before


def test_images_without_class_scores_are_passed_over(table, rewriter):
    table.put(RejectedImage(tagged("r.jpg").observation, RejectReason.EMPTY, "no bytes"), 0)
    table.put(GoneImage(tagged("g.jpg").observation), 0)
    assert retag(rewriter).untagged == 2
    assert table.writes == 2


def test_decisions_stay_and_a_pinned_keyword_brings_what_is_above_it_now(table, rewriter):
    decisions = (Decision("green", DecisionKind.PIN, AT), Decision("paint", DecisionKind.SUPPRESS, AT))
    record = tagged("a.jpg", "red")
    table.put(with_keywords(record, record.model_keywords, decisions, VOCABULARY), 0)
    retag(rewriter)
    record = table.records[shop()]
    assert (ids(record.keywords), record.decisions) == (["green", "plant"], decisions)


def test_scores_that_change_alone_are_told_apart(table, rewriter):
    record = tagged("a.jpg", "blue")
    table.put(replace(record, keywords=tuple(replace(tag, score=0.5) for tag in record.keywords)), 0)
    found = retag(rewriter)
    assert (found.rescored, found.touched) == (1, 0)


def test_the_report_shows_keywords_and_a_few_examples(table, rewriter):
    for at in range(20):
        table.put(tagged(f"{at}.jpg", "green"), 0)
    found = retag(rewriter)
    text = retagged_text(found, "retag-1", NEWER, dry_run=True)
    assert "would change keywords" in text
    assert "plant" in text
    assert "  before  green, paint\n  after   green, plant, paint" in text
    document = retagged_document(found, "retag-1", NEWER, dry_run=True)
    assert document["gained"] == [{"keyword": "plant", "id": "plant", "images": 20}]
    assert len(document["examples"]) == EXAMPLES
    assert json.dumps(document)


@pytest.mark.slow
def test_stored_scores_are_enough_to_make_the_keywords_of_real_photos_exactly(shared_data, real_model):
    """From the table, under a taxonomy that differs, comes what a look under that taxonomy writes."""
    words = Vocabulary.load()
    stricter = replace(words, nodes={each.id: _stricter(each) for each in words.nodes.values()}, version="stricter")
    photos = sorted((shared_data / "imagenet").glob("*.JPEG"))[::6]
    old, new = _tables(words, stricter, photos, real_model)
    changed = 0
    for image, record in old.records.items():
        at_rest = table_layout.from_item(table_layout.to_item(record, record.revision))
        taxonomy = KeywordMapper.of(stricter, _class_ids(real_model))
        again = remapped(at_rest, taxonomy, "retag-1")
        assert again.keywords == new.records[image].keywords
        assert remapped(at_rest, KeywordMapper.of(words, _class_ids(real_model)), "retag-1").keywords == record.keywords
        changed += again.keywords != record.keywords
    assert len(old.records) == len(photos) > 40
    assert changed > 1


def _stricter(node):
    return replace(node, threshold=0.99) if node.is_emitted else node


def _class_ids(model):
    return [each.id for each in ModelCard.load(model / CARD_NAME).classes]


def _tables(old, new, photos, model):
    """Return the tables that looks at the photos fill, under either vocabulary."""
    classifier = Classifier.load(model / CARD_NAME)
    reader = ProcessReader(classifier.card.input)
    images, tables = MemoryImages(), (MemoryTable(), MemoryTable())
    for photo in photos:
        images.put(shop(photo.name), photo.read_bytes())
    for words, table in zip((old, new), tables, strict=True):
        taxonomy = KeywordMapper.of(words, _class_ids(model))
        observation = tagger(images=images, table=table, mapper=taxonomy, classifier=classifier, reader=reader)
        observation.reconcile([TagImage(shop(photo.name)) for photo in photos])
    reader.close()
    return tables


def test_a_colour_that_people_pinned_stays_and_is_no_keyword(table, rewriter):
    fill(table)
    red = Decision("colour-red", DecisionKind.PIN, AT)
    record = table.records[shop("green.jpg")]
    table.put(with_keywords(record, record.model_keywords, (red,), VOCABULARY), record.revision)
    retag(rewriter)
    green = table.records[shop("green.jpg")]

    assert (ids(green.keywords), green.decisions) == (["green", "plant", "paint"], (red,))
    assert [share.colour for share in decided_colours(green.facts, green.decisions)] == ["red"]
