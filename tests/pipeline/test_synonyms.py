"""Synonyms lead to keywords of the taxonomy."""

from __future__ import annotations

import pytest

from pipeline.csv_rows import rows
from pipeline.keywords import LANGUAGES, Vocabulary, fold
from pipeline.synonyms import SYNONYMS_PATH, WORDS_PATH, WordKind, load_synonyms, special_words

VOCABULARY = Vocabulary.load()
SYNONYMS = load_synonyms(VOCABULARY)


def test_every_synonym_leads_to_a_keyword_that_photos_can_get() -> None:
    ids = [row["id"] for row in rows(SYNONYMS_PATH, ("id", *LANGUAGES))]

    assert len(set(ids)) == len(ids)
    assert set(ids) <= {keyword.id for keyword in VOCABULARY.emitted}


@pytest.mark.parametrize("language", LANGUAGES)
def test_synonyms_are_many_and_none_is_a_word_that_says_nothing(language: str) -> None:
    synonyms = {fold(word) for word in SYNONYMS[language]}

    assert not synonyms & special_words(WordKind.STOP, language).keys()
    assert len(synonyms) > 300


def test_every_special_word_is_folded_and_of_a_known_kind_and_language() -> None:
    words = [(row["kind"], row["language"], row["word"]) for row in rows(WORDS_PATH, ("kind", "language", "word"))]

    assert len(set(words)) == len(words)
    assert {kind for kind, _, _ in words} == set(WordKind)
    assert {language for _, language, _ in words} == set(LANGUAGES)
    assert [word for _, _, word in words if word != fold(word)] == []


def test_forms_and_colours_mean_another_word_and_no_other_kind_does() -> None:
    rows_with_meaning = {row["kind"] for row in rows(WORDS_PATH, ("kind", "means")) if row["means"]}

    assert rows_with_meaning == {WordKind.FORM, WordKind.COLOUR}
    assert special_words(WordKind.FORM, "en")["mice"] == "mouse"
    assert special_words(WordKind.STOP, "it") == {}
