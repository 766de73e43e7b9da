"""A content is read and classified once, however many names it has."""

from __future__ import annotations

import gc
import sys

import pytest

from pipeline.errors import ImageRejected, RetryLater
from pipeline.messages import TagImage
from tagging_lambda.classification_cache import LEAST_TIME_S, ClassificationCache
from tagging_lambda.observe import ObservedPhoto
from tagging_lambda.reconcile import Outcome
from tests.builders import ColourClassifier, InlineReader, jpeg, shop, tagger


class CountingReader(InlineReader):
    """Counts what it is given."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, data):
        self.reads += 1
        return super().read(data)


@pytest.fixture
def contents() -> ClassificationCache:
    return ClassificationCache(CountingReader(), ColourClassifier(), most=2)


def found(contents: ClassificationCache, *files: bytes, time_left_s: float = 100.0):
    return contents.classify(files, lambda: time_left_s)


def test_the_same_photo_under_many_names_is_read_and_classified_once(contents):
    shown = found(contents, jpeg("red"), jpeg("blue"), jpeg("red"))
    assert shown[0] == shown[2] != shown[1]
    assert found(contents, jpeg("red")) == [shown[0]]
    assert (contents.reader.reads, contents.classifier.batches) == (2, [2])


def test_a_bad_file_under_many_names_is_read_once_too(contents):
    first, again = found(contents, b"no picture", b"no picture")
    assert isinstance(first, ImageRejected)
    assert first is again
    assert contents.reader.reads == 1


def test_the_answer_is_what_another_worker_would_give(contents):
    known = [found(contents, jpeg(colour))[0] for colour in ("red", "blue", "red")][-1]
    assert isinstance(known, ObservedPhoto)
    assert found(ClassificationCache(InlineReader(), ColourClassifier()), jpeg("red")) == [known]


def test_only_the_last_contents_are_remembered(contents):
    for colour in ("red", "blue", "red", "green", "red", "blue"):
        found(contents, jpeg(colour))
    assert contents.reader.reads == 4  # red was asked for again before it was forgotten; blue was not


def test_what_could_not_be_read_now_is_not_remembered(contents):
    class NoReader(InlineReader):
        def read(self, data):
            raise RetryLater("the reader did not start")

    contents.reader, reader = NoReader(), contents.reader
    assert isinstance(found(contents, jpeg())[0], RetryLater)
    assert isinstance(found(contents, jpeg(), time_left_s=LEAST_TIME_S - 1)[0], RetryLater)
    contents.reader = reader
    assert isinstance(found(contents, jpeg())[0], ObservedPhoto)


def test_a_content_that_is_known_needs_no_time(contents):
    shown = found(contents, jpeg())
    assert found(contents, jpeg(), time_left_s=0) == shown


def test_it_is_told_how_often_a_content_was_known(contents):
    found(contents, jpeg("red"), jpeg("red"), jpeg("blue"))
    found(contents, jpeg("blue"))
    assert contents.take_recognitions() == [False, True, False, True]
    assert contents.take_recognitions() == []


def test_a_remembered_rejection_keeps_no_file_alive(contents):
    file = b"no picture" * 1000
    before = sys.getrefcount(file)
    found(contents, file)
    gc.collect()
    assert sys.getrefcount(file) == before


def test_a_photo_in_many_places_is_downloaded_for_each_and_classified_once():
    observation = tagger()
    keys = [f"{number}.jpg" for number in range(30)]
    for key in keys:
        observation.images.put(shop(key), jpeg("green"))
    outcomes = observation.reconcile([TagImage(shop(key)) for key in keys])
    assert set(outcomes.values()) == {Outcome.TAGGED}
    assert (observation.images.downloads, observation.classifier.pictures) == (30, 1)
    assert len({record.keywords for record in observation.table.records.values()}) == 1
    assert len({record.observation.product for record in observation.table.records.values()}) == 30
