"""A keyword is named by a word in any language, or by its id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import CallerError
from pipeline.keywords import Use
from tagging_lambda.curate.keyword_lookup import keyword_named, keyword_once_named
from tests.builders import colour_vocabulary, keyword, vocabulary_of

WORDS = vocabulary_of(
    [
        keyword("goods", use=Use.THROUGH),
        keyword("shoe", "goods"),
        keyword("n00000001", "goods"),
        keyword("n00000002", "shoe"),
    ],
    "t1",
)


@pytest.mark.parametrize("text", ["shoe", "SHOE", " shoe ", "shoe de", "Shoé fr"])
def test_a_word_in_any_language_case_and_accent_names_its_keyword(text):
    assert keyword_named(text, WORDS) == "shoe"


def test_an_id_names_its_keyword():
    assert keyword_named("n00000002", WORDS) == "n00000002"


def test_an_unknown_word_is_answered_with_a_near_one():
    with pytest.raises(CallerError, match="no keyword is called 'sheo'; did you mean shoe"):
        keyword_named("sheo", WORDS)


def test_a_word_that_is_like_no_other_is_simply_unknown():
    with pytest.raises(CallerError, match=r"no keyword is called 'xylophone'$"):
        keyword_named("xylophone", WORDS)


def test_a_word_of_several_keywords_lists_their_ids():
    cranes = [
        replace(keyword(each, above), words={"en": ("crane",)}) for each, above in (("c1", "goods"), ("c2", "shoe"))
    ]
    vocabulary = vocabulary_of([*WORDS.nodes.values(), *cranes], "t2")
    with pytest.raises(
        CallerError, match=r"several keywords; say en:crane, or which by its id: c1 \(crane, .*\), c2 \(.*of shoe\)"
    ):
        keyword_named("crane", vocabulary)


def test_a_word_that_means_different_things_in_two_languages_is_told_by_the_language():
    boots = [
        replace(keyword("k1", "shoe"), words={"en": ("boot",), "de": ("Stiefel",)}),
        replace(keyword("k2", "goods"), words={"en": ("boat",), "de": ("Boot",)}),
    ]
    vocabulary = vocabulary_of([*WORDS.nodes.values(), *boots], "t2")
    assert (keyword_named("en:boot", vocabulary), keyword_named("de:BOOT", vocabulary)) == ("k1", "k2")
    with pytest.raises(CallerError, match="'fr:boot'"):
        keyword_named("fr:boot", vocabulary)


def test_what_no_photo_can_get_cannot_be_pinned():
    with pytest.raises(CallerError, match=r"goods \(goods\) is no keyword: its use is through"):
        keyword_named("goods", WORDS)


@pytest.mark.parametrize("keyword_id", ["n99999999", "shop-of-last-year"])
def test_an_id_of_an_older_taxonomy_can_be_released_though_not_pinned(keyword_id):
    assert keyword_once_named(keyword_id, colour_vocabulary()) == keyword_id
    with pytest.raises(CallerError):
        keyword_named(keyword_id, colour_vocabulary())


@pytest.mark.parametrize("text", ["blue", "BLAU", "bleu", "colour:azul", "colour-blue"])
def test_a_colour_is_named_by_its_word_in_any_language_or_by_its_id(text):
    assert keyword_named(text, WORDS) == keyword_once_named(text, WORDS) == "colour-blue"


def test_a_word_that_is_a_keyword_and_a_colour_is_the_keyword_unless_the_colour_is_said():
    fruit = vocabulary_of([*WORDS.nodes.values(), keyword("orange", "goods")], "t2")

    assert keyword_named("orange", fruit) == "orange"
    assert keyword_named("colour:orange", fruit) == "colour-orange"
    with pytest.raises(CallerError, match="no keyword is called 'colour-ochre'"):
        keyword_named("colour-ochre", fruit)
