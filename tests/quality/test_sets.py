"""The labels of the photos that quality is measured on are words of our vocabulary."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.csv_rows import rows
from pipeline.keywords import Vocabulary
from tagging_lambda.curate.keyword_lookup import keyword_named
from tests.quality.sets import HERE, clothing


@pytest.mark.parametrize("name", ["sample_catalogue.csv", "clothing.csv"])
def test_every_label_is_a_keyword(name):
    vocabulary = Vocabulary.load()
    found = [
        keyword_named(word, vocabulary)
        for row in rows(HERE / name, ("expected", "acceptable"))
        for column in ("expected", "acceptable")
        for word in row.several(column)
    ]
    assert len(found) > 10


def test_every_photo_of_the_sample_catalogue_stands_once():
    files = Counter(row["file"] for row in rows(HERE / "sample_catalogue.csv", ("file",)))
    assert (len(files), max(files.values())) == (54, 1)


def test_clothing_photos_are_labelled_by_their_folder(shared_data):
    found = clothing("validation", Vocabulary.load())
    assert len(found) == 341
    assert all(file.expected for file in found)
