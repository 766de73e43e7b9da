"""The judging lists name keywords that exist, and photos are counted by them."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.csv_rows import rows
from pipeline.keywords import KeywordTag, Vocabulary
from tagging_lambda.evaluate.labels import LabelledFile
from tagging_lambda.evaluate.measure import Judged, by_score
from tests.quality.measure import HERE, LABELS, Measures, curve, labelled, meanings

DRESS = LabelledFile(Path("dress.jpg"), frozenset({"dress"}), frozenset({"dress", "gown", "clothing", "fashion"}))


@pytest.mark.parametrize("data_set", LABELS)
def test_every_label_of_a_judging_list_has_a_word_that_names_it(data_set):
    found = meanings(data_set, Vocabulary.load())
    assert found
    assert all(meaning.expected and meaning.expected <= meaning.right for meaning in found.values())


def test_photos_are_counted_by_what_was_said_of_them():
    measures = Measures()
    for said in ({"dress", "clothing"}, {"clothing"}, {"hat", "dress"}, {"fashion"}, set()):
        measures.add(frozenset(said), DRESS, frozenset({"fashion"}))
    assert (measures.photos, measures.specific, measures.wrong) == (5, 2, 1)
    assert (measures.only_broad, measures.needs_a_look) == (2, 1)
    assert (measures.keywords, measures.mistakes) == (5, 1)


def test_every_photo_of_the_sample_catalogue_is_listed_once_with_keywords_that_exist():
    listed = list(rows(HERE / "sample_catalogue.csv", ("file", "expected", "acceptable")))
    vocabulary = Vocabulary.load()
    assert all(labelled(HERE, row, vocabulary).expected for row in listed)
    assert Counter(row["file"] for row in listed).most_common(1)[0][1] == 1
    assert len(listed) == 54


def test_a_higher_threshold_takes_back_what_is_less_sure():
    photos = [Judged(DRESS, (KeywordTag("dress", 0.7), KeywordTag("hat", 0.6)), ())]
    points = curve(photos, frozenset())
    assert (points[0], points[15], points[-1]) == ((1.0, 1.0), (0.0, 1.0), (0.0, 0.0))


def test_keywords_are_binned_by_score():
    photos = [Judged(DRESS, (KeywordTag("dress", 0.75), KeywordTag("hat", 0.71), KeywordTag("gown", 0.99)), ())]
    bins = [(step.promised, step.right.value, step.right.of) for step in by_score(photos)]
    assert bins == [(pytest.approx(0.73), 0.5, 2), (0.99, 1.0, 1)]
