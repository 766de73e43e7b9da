"""Synonyms lead to keywords of the taxonomy."""

from __future__ import annotations

import pytest

from pipeline.csv_rows import rows
from pipeline.keywords import LANGUAGES, Vocabulary, fold
from pipeline.synonyms import STOP_WORDS, SYNONYMS_PATH, load_synonyms

VOCABULARY = Vocabulary.load()
SYNONYMS = load_synonyms(VOCABULARY)


def test_every_synonym_leads_to_a_keyword_that_photos_can_get() -> None:
    ids = [row["id"] for row in rows(SYNONYMS_PATH, ("id", *LANGUAGES))]

    assert len(set(ids)) == len(ids)
    assert set(ids) <= {keyword.id for keyword in VOCABULARY.emitted}


@pytest.mark.parametrize("language", LANGUAGES)
def test_synonyms_are_many_and_none_is_a_word_that_says_nothing(language: str) -> None:
    synonyms = {fold(word) for word in SYNONYMS[language]}

    assert not synonyms & STOP_WORDS[language]
    assert len(synonyms) > 300
