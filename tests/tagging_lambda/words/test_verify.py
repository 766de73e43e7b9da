"""Photos that contradict their own keywords are found, worst first."""

from __future__ import annotations

import random

from tagging_lambda.words.train import Examples
from tagging_lambda.words.verify import verify
from tagging_lambda.words.verify_report import verification_csv, verification_text
from tests.tagging_lambda.words.shop import VOCABULARY, WORDS, examples, seen


def swapped(found: Examples, rows) -> Examples:
    """Return the examples with another word in these rows."""
    labels = list(found.labels)
    for row in rows:
        [word] = labels[row]
        labels[row] = frozenset({WORDS[(WORDS.index(word) + 1) % len(WORDS)]})
    return Examples(found.vectors, tuple(labels), found.groups)


def test_swapped_labels_come_first_with_the_word_they_should_have():
    right = examples(60, spread=0.2)
    wrong = sorted(random.Random(3).sample(range(len(right)), 18))
    found = verify(seen(swapped(right, wrong)), VOCABULARY)
    first = found.contradictions[:18]
    assert sorted(int(item.photo.group[1:]) for item in first) == wrong
    assert all(item.believed in right.labels[int(item.photo.group[1:])] for item in first)
    assert first[0].contradiction > 0.8
    assert first[-1].contradiction > max((item.contradiction for item in found.contradictions[18:]), default=0)


def test_where_all_labels_agree_nothing_is_said_against_them():
    found = verify(seen(examples(20)), VOCABULARY)
    assert (found.photos, found.contradictions) == (60, ())
    assert verification_text(found, VOCABULARY).startswith("0 of 60 photos contradict their keywords")


def test_a_coarser_label_is_not_contradicted_by_a_finer_one():
    right = examples(20)
    labels = (frozenset({"footwear"}),) * 5 + right.labels[5:]
    found = verify(seen(Examples(right.vectors, labels, right.groups)), VOCABULARY)
    assert not [item for item in found.contradictions if item.doubted == "footwear"]


def test_keywords_of_too_few_photos_are_not_judged():
    right = examples(20)
    labels = (frozenset({"lamp"}),) * 2 + right.labels[2:]
    found = verify(seen(Examples(right.vectors, labels, right.groups)), VOCABULARY)
    assert (found.photos, found.unverified) == (58, ("lamp",))


def test_the_csv_names_line_file_and_both_words():
    found = verify(seen(swapped(examples(20), [4])), VOCABULARY)
    header, row = verification_csv(found, VOCABULARY).splitlines()
    assert header == "line,file,keyword,believed,contradiction,keyword_score,believed_score"
    assert row.startswith("6,4.jpg,sandal,boot,0.")
