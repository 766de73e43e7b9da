"""Class scores become keywords: summed up the tree, the most specific sure word with its ancestors."""

import numpy as np
import pytest

from pipeline.keywords import Keyword, KeywordTag, Use
from pipeline.records import ClassScore, pack_class_scores, unpack_class_scores
from tagging_lambda.words.class_keywords import KEPT_CLASSES, Taxonomy, keywords_of, strongest
from tests.builders import vocabulary_of


def node(name, *parents, use=Use.KEYWORD, threshold=None):
    return Keyword(name, parents, use, threshold, {"en": (name,)})


VOCABULARY = vocabulary_of(
    [
        node("thing", use=Use.THROUGH),
        node("home", "thing", use=Use.FALLBACK),
        node("furniture", "home"),
        node("seat", "furniture", use=Use.THROUGH),
        node("chair", "seat"),
        node("rocking chair", "chair"),
        node("barber chair", "chair"),
        node("folding chair", "chair", threshold=0.05),
        node("lamp", "home", threshold=0.95),
        node("sports equipment", "thing"),
        node("ball", "thing"),
        node("golf equipment", "sports equipment"),
        node("golf ball", "ball", "golf equipment"),
        node("tennis ball", "ball", "sports equipment"),
        node("dog", "home", use=Use.NOT_GOODS),
    ],
    version="test",
)
CLASSES = ("rocking chair", "barber chair", "folding chair", "lamp", "golf ball", "tennis ball", "dog", "unheard of")
TAXONOMY = Taxonomy.of(VOCABULARY, CLASSES)


def scores(**by_class):
    return tuple(ClassScore(CLASSES.index(name.replace("_", " ")), score) for name, score in by_class.items())


def words(tags):
    return [tag.keyword_id for tag in tags]


def test_a_sure_class_comes_with_what_it_is():
    assert keywords_of(scores(tennis_ball=0.9), TAXONOMY) == (
        KeywordTag("tennis ball", 0.9),
        KeywordTag("ball", 0.9),
        KeywordTag("sports equipment", 0.9),
    )


def test_classes_that_share_a_photo_add_up_to_what_they_all_are():
    unsure = scores(rocking_chair=0.6, barber_chair=0.25, folding_chair=0.04)
    assert keywords_of(unsure, TAXONOMY) == (KeywordTag("chair", 0.89), KeywordTag("furniture", 0.89))


def test_classes_that_agree_need_less_than_one_class_alone():
    assert words(keywords_of(scores(rocking_chair=0.3, barber_chair=0.3), TAXONOMY)) == ["chair", "furniture"]
    assert words(keywords_of(scores(rocking_chair=0.6), TAXONOMY)) == []


def test_a_class_that_reaches_a_keyword_by_two_ways_counts_once():
    tags = keywords_of(scores(golf_ball=0.9), TAXONOMY)
    assert words(tags) == ["golf ball", "golf equipment", "ball", "sports equipment"]
    assert [tag.score for tag in tags] == [0.9] * len(tags)


def test_a_keyword_has_its_own_threshold_and_brings_its_ancestors_along():
    assert words(keywords_of(scores(folding_chair=0.1), TAXONOMY)) == ["folding chair", "chair", "furniture"]
    assert words(keywords_of(scores(lamp=0.9), TAXONOMY)) == []


def test_where_nothing_is_sure_nothing_is_said_not_even_a_department():
    assert keywords_of(scores(rocking_chair=0.2, lamp=0.2, tennis_ball=0.3), TAXONOMY) == ()


def test_a_photo_that_says_next_to_nothing_gets_no_keyword():
    assert keywords_of(scores(rocking_chair=0.05, dog=0.9), TAXONOMY) == ()
    assert keywords_of((), TAXONOMY) == ()
    assert keywords_of(scores(rocking_chair=0.0), TAXONOMY) == ()


def test_what_is_no_goods_or_unknown_to_the_taxonomy_is_never_said():
    assert keywords_of(scores(dog=0.5, unheard_of=0.5), TAXONOMY) == ()


def test_the_most_specific_words_are_kept_where_there_are_too_many():
    assert words(keywords_of(scores(rocking_chair=0.9), TAXONOMY, limit=2)) == ["rocking chair", "chair"]


def test_no_score_is_over_one():
    assert keywords_of(scores(rocking_chair=0.7, barber_chair=0.4), TAXONOMY)[-1].score == 1.0


def test_the_strongest_scores_are_kept_in_order_and_in_stored_steps():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(1000, 0.05)).astype(np.float32)
    kept = strongest(probabilities)
    assert len(kept) <= KEPT_CLASSES
    assert [each.score for each in kept] == sorted((each.score for each in kept), reverse=True)
    assert kept[0].class_index == int(probabilities.argmax())
    assert unpack_class_scores(pack_class_scores(kept)) == kept


def test_a_flat_answer_keeps_only_what_is_over_the_least_score():
    assert strongest(np.full(100_000, 1e-5, np.float32)) == ()


@pytest.mark.parametrize("seed", range(20))
def test_storage_gives_the_same_keywords_as_the_model(seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(len(CLASSES), 0.5)).astype(np.float32)
    kept = strongest(probabilities)
    assert keywords_of(unpack_class_scores(pack_class_scores(kept)), TAXONOMY) == keywords_of(kept, TAXONOMY)
