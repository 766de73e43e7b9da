"""What a person says of photos is read from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from tagging_lambda.evaluate.labels import labels_in
from tests.tagging_lambda.evaluate.conftest import VOCABULARY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def labels(tmp_path):
    """Read the labels of two photos."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()

    def labels(text: str):
        path: Path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return labels_in(path, tmp_path, VOCABULARY)

    return labels


def test_words_in_any_language_and_ids_are_expected_or_acceptable_with_all_above_them(labels):
    first, second = labels("file,expected,acceptable\na.jpg,red de | blue,green\nb.jpg,,\n")
    assert (first.path.name, first.expected) == ("a.jpg", {"red", "blue"})
    assert first.right == {"red", "blue", "green", "paint"}
    assert (second.expected, second.right) == (frozenset(), frozenset())


def test_photos_of_one_product_belong_together_and_others_to_themselves(labels):
    first, second = labels("file,expected,product\na.jpg,red,P1\nb.jpg,red,P1\n")
    assert (first.group, second.group) == ("P1", "P1")
    first, second = labels("file,expected\na.jpg,red\nb.jpg,red\n")
    assert (first.group, second.group) == ("a.jpg", "b.jpg")


def test_acceptable_words_need_not_be_given(labels):
    [only] = labels("file,expected\na.jpg,red\n")
    assert only.right == {"red", "paint"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.jpg\n", r"labels\.csv, line 1: there is no column expected"),
        ("file,expected\nc.jpg,red\n", r"line 2, column file: there is no file .*c\.jpg"),
        ("file,expected\na.jpg,red\na.jpg,red\n", r"line 3, column file: a\.jpg stands twice"),
        ("file,expected\na.jpg,rde\n", r"line 2, column expected: no keyword is called 'rde'; did you mean red"),
        ("file,expected,acceptable\na.jpg,red,grene\n", r"line 2, column acceptable: no keyword is called 'grene'"),
        ("file,expected\n", r"names no photo"),
    ],
)
def test_a_mistake_is_said_by_line_and_column(labels, text, message):
    with pytest.raises(CallerError, match=message):
        labels(text)
