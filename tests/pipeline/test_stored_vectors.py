"""A record's feature vector, and who said a keyword, at rest in the table and back."""

from dataclasses import replace

import numpy as np

from pipeline.keywords import KeywordTag, Source
from pipeline.records import Previous
from pipeline.table_layout import VECTOR, from_item, to_item
from pipeline.vectors import FeatureVector
from tests.tagging_lambda.curate.conftest import tagged

HEAD_TAGS = (KeywordTag("red", 0.9, Source.HEAD), KeywordTag("warm", 0.9, Source.MODEL))
SEEN = FeatureVector.of("0123456789ab", np.arange(-8, 8).astype(np.float32))


def test_a_vector_comes_back_as_it_was_stored():
    record = replace(tagged(), vector=SEEN, revision=1)
    assert from_item(to_item(record, 1)) == record


def test_an_item_from_before_vectors_has_none():
    item = to_item(tagged(), 1)
    assert VECTOR not in item
    assert from_item(item).vector is None


def test_who_said_a_keyword_is_stored_and_the_model_need_not_be_named():
    record = replace(tagged(), keywords=HEAD_TAGS, revision=1)
    item = to_item(record, 1)
    assert from_item(item).keywords == HEAD_TAGS
    assert [entry.get("source") for entry in item["keywords"]] == ["head", None]


def test_what_was_said_before_a_run_keeps_who_said_it():
    before = replace(tagged(), keywords=HEAD_TAGS)
    previous = Previous.of(before, before.observation.etag, "run-2")
    record = replace(tagged(run_id="run-2"), previous=previous, revision=1)
    assert from_item(to_item(record, 1)).previous.keywords == HEAD_TAGS
