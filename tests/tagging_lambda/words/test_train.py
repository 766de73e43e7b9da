"""A head is learned from vectors: its words, its thresholds, and what it does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tagging_lambda.words.head_card import NEVER, HeadKind
from tagging_lambda.words.heads import head_keywords
from tagging_lambda.words.train import Background, Examples, TrainingPlan, train_head
from tests.tagging_lambda.words.shop import SPACE, VOCABULARY, WORDS, background, examples, vectors

PLAN = TrainingPlan("shop", SPACE)


@pytest.fixture(scope="module")
def trained():
    """A head of three words, and of other things."""
    return train_head(examples(), PLAN, VOCABULARY, background())


def answer(head, direction: int, spread: float = 0.12):
    row = vectors(direction, 1, spread, seed=7)
    return head_keywords(head, head.scores(row)[0], VOCABULARY)


def test_a_word_is_said_of_new_photos_with_the_keywords_above_it(trained):
    tags = answer(trained.head, WORDS.index("boot")).tags
    assert [tag.keyword_id for tag in tags] == ["boot", "footwear", "clothing"]
    assert {tag.source for tag in tags} == {"head"}
    assert tags[0].score >= trained.head.card.words[0].threshold


def test_of_words_that_exclude_each_other_the_strongest_alone_is_said(trained):
    card = replace(trained.head.card, words=tuple(replace(word, threshold=0.2) for word in trained.head.card.words))
    scores = np.array([0.4, 0.5, 0.05, 0.05], np.float32)
    tags = head_keywords(replace(trained.head, card=card), scores, VOCABULARY).tags
    assert [tag.keyword_id for tag in tags] == ["sandal", "footwear", "clothing"]


def test_a_head_overrules_only_the_branch_that_its_words_belong_to(trained):
    assert trained.head.card.branch == ("fashion",)
    assert answer(trained.head, WORDS.index("shirt")).branch == {"fashion"}


def test_of_other_things_a_head_is_silent_and_says_so(trained):
    other = answer(trained.head, 8)
    assert (other.tags, other.is_other, other.branch) == ((), True, frozenset())


def test_the_same_photos_and_seed_give_the_same_head(trained):
    again = train_head(examples(), PLAN, VOCABULARY, background())
    assert again.head.card == trained.head.card
    assert again.head.card.version == trained.head.card.version


def test_where_no_single_word_is_sure_the_keyword_above_several_is_said():
    head = train_head(_sandals_look_like_boots(), PLAN, VOCABULARY, background()).head
    assert [(group.id, group.members) for group in head.card.groups] == [("footwear", ("boot", "sandal"))]
    tag, department = answer(head, WORDS.index("boot")).tags
    assert department.keyword_id == "clothing"
    assert (tag.keyword_id, tag.score) == ("footwear", pytest.approx(1, abs=0.1))


def test_a_word_above_others_is_said_of_a_photo_that_may_show_any_of_them():
    alike = _sandals_look_like_boots()
    labels = tuple(
        frozenset({"footwear"}) if row in {*range(8), *range(24, 32)} else label
        for row, label in enumerate(alike.labels)
    )
    head = train_head(replace(alike, labels=labels), PLAN, VOCABULARY, background()).head
    assert [(group.id, group.members) for group in head.card.groups] == [("footwear", ("boot", "footwear", "sandal"))]
    boot, footwear, sandal, shirt, other = 0.4, 0.1, 0.45, 0.02, 0.03
    said = head_keywords(head, np.array([boot, footwear, sandal, shirt, other], np.float32), VOCABULARY)
    assert (said.tags[0].keyword_id, said.tags[0].score, said.is_group) == ("footwear", 0.95, True)


def test_a_word_that_is_right_too_seldom_is_left_out():
    """Sandals look exactly as boots do, so that neither can be told; shirts can."""
    head = train_head(_sandals_look_like_boots(), PLAN, VOCABULARY, background()).head
    assert [word.id for word in head.card.left_out] == ["boot", "sandal"]
    assert head.card.words[0].threshold == NEVER
    assert [word.id for word in head.card.said] == ["shirt"]


def test_photos_with_several_words_make_a_head_whose_words_stand_each_for_itself():
    both = (vectors(0, 20) + vectors(2, 20)) / np.sqrt(2)
    labels = (frozenset({"boot", "shirt"}),) * 20
    more = Examples(both.astype(np.float32), labels, tuple(f"b{n}" for n in range(20)))
    head = train_head(examples() + more, PLAN, VOCABULARY, background()).head
    assert head.card.kind is HeadKind.SIGMOID
    rows = ((vectors(0, 20, seed=9) + vectors(2, 20, seed=9)) / np.sqrt(2)).astype(np.float32)
    both_said = [
        {"boot", "shirt"} <= {tag.keyword_id for tag in head_keywords(head, scores, VOCABULARY).tags}
        for scores in head.scores(rows)
    ]
    assert np.mean(both_said) > 0.7


def test_no_word_is_judged_on_a_group_that_it_was_learned_from():
    """Photos of a group are copies: a head that had seen one would know the others by heart."""
    one_each = examples(8, spread=0.9)
    copies = Examples(
        np.repeat(one_each.vectors, 8, axis=0),
        tuple(label for label in one_each.labels for _ in range(8)),
        tuple(group for group in one_each.groups for _ in range(8)),
    )
    alone = replace(copies, groups=tuple(str(row) for row in range(len(copies))))
    by_group, by_photo = (train_head(found, PLAN, VOCABULARY) for found in (copies, alone))
    assert _accuracy(by_photo) - _accuracy(by_group) > 0.05
    assert all(len(set(by_group.held_out.folds[row * 8 : row * 8 + 8])) == 1 for row in range(len(one_each)))


def test_from_three_photos_a_word_on_words_are_learned():
    head = train_head(examples(3), PLAN, VOCABULARY, background()).head
    rows = np.concatenate([vectors(direction, 10, seed=3) for direction in range(3)])
    guesses = head.scores(rows)[:, :3].argmax(axis=1)
    assert (guesses == np.repeat(range(3), 10)).mean() > 0.9


def test_a_head_without_background_tells_its_words_apart():
    head = train_head(examples(), PLAN, VOCABULARY, Background.none()).head
    assert answer(head, 1).tags[0].keyword_id == "sandal"


def _sandals_look_like_boots() -> Examples:
    found = examples(24)
    found.vectors[24:48] = vectors(0, 24, seed=5)
    return found


def _accuracy(trained) -> float:
    scores, words = trained.held_out.scores[:, :-1], trained.problem.words
    labels = [next(iter(label)) for label in trained.held_out.examples.labels]
    return float(np.mean([words[best] == label for best, label in zip(scores.argmax(axis=1), labels, strict=True)]))
