"""Suggestions: words of the vocabulary that are spelled almost like an unknown word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipeline.keywords import fold

if TYPE_CHECKING:
    from pipeline.keywords import Vocabulary

MOST = 3  # suggestions
LETTERS_PER_SLIP = 4  # one slip in each four letters: chair may be off by one, rocking chair by three


def suggestions(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return up to three words that are spelled almost like ``word`` or contain it, nearest first.

    A slip is a letter that is added, left out, changed, or swapped with its neighbour.
    """
    folded_word = fold(word)
    limit = max(1, len(folded_word) // LETTERS_PER_SLIP)
    spellings = _spellings(vocabulary)
    near = process.extract(folded_word, spellings.keys(), scorer=OSA.distance, score_cutoff=limit, limit=None)
    slips = {spelling: count for spelling, count, _ in near}
    slips |= {spelling: 1 for spelling in spellings if folded_word in spelling.split()}
    ranked = sorted(slips, key=lambda spelling: slips[spelling])  # ties stay in the order of the taxonomy
    return tuple(dict.fromkeys(spellings[spelling] for spelling in ranked))[:MOST]


def _spellings(vocabulary: Vocabulary) -> dict[str, str]:
    """Return each word as it is shown, by its folded form; the first language's words come first."""
    spellings: dict[str, str] = {}
    languages = dict.fromkeys(language for keyword in vocabulary.emitted for language in keyword.words)
    for language in languages:
        for keyword in vocabulary.emitted:
            for word in keyword.words.get(language, ()):
                spellings.setdefault(fold(word), word)
    return spellings
