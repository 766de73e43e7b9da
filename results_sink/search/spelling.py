"""Words of a query as people write them: plurals of words that are known, and what an unknown word may have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.keywords import fold
from pipeline.suggest import suggestions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.keywords import Vocabulary

LEAST_LETTERS = 3  # of a word that may be a plural's singular, chosen by us
NEAR_WORDS = 3  # of a keyword that may be misspelled as a whole, chosen by us: few names have more
OPERATORS = ("AND", "OR", "NOT")

# The regular plurals of each language: what a plural ends with, and its singular instead.
_ENDINGS = {
    "en": (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe")),
    "de": (("n", ""), ("en", ""), ("e", ""), ("s", "")),
    "fr": (("s", ""), ("x", "")),
    "es": (("s", ""), ("es", ""), ("ces", "z")),
}
_HEAD_COMES_FIRST = ("fr", "es")  # of several words, the one that the others tell more of: sac à main, but handbag


def meant(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the ids of the keywords that a word, or a phrase, names in any language; or else those of its singular."""
    return vocabulary.spelled(word) or tuple(dict.fromkeys(_of_singulars(fold(word).split(" "), vocabulary)))


def _of_singulars(words: Sequence[str], vocabulary: Vocabulary) -> Iterator[str]:
    for language, endings in _ENDINGS.items():
        for singular in _singulars(words, language, endings):
            for keyword_id in vocabulary.spelled(singular):
                spoken = vocabulary.nodes[keyword_id].words.get(language, ())
                if singular in map(fold, spoken):
                    yield keyword_id


def _singulars(words: Sequence[str], language: str, endings: Sequence[tuple[str, str]]) -> Iterator[str]:
    at = 0 if language in _HEAD_COMES_FIRST else len(words) - 1
    for ending, instead in endings:
        singular = words[at].removesuffix(ending) + instead
        if words[at].endswith(ending) and len(singular) >= LEAST_LETTERS:
            yield " ".join([*words[:at], singular, *words[at + 1 :]])


def unknown(words: Sequence[str], at: int, vocabulary: Vocabulary) -> CallerError:
    """Return the error of a word that no keyword is called, with what was meant perhaps.

    Args:
        words: the word among its neighbours, which may be a keyword of several words together with it.
        at: where it stands among them.
        vocabulary: whose words are near.
    """
    if words[at].upper() in OPERATORS:
        operator = words[at].upper()
        return CallerError(f"no keyword is called {words[at]!r}; operators are written in capitals: {operator}")
    for phrase in _around(words, at):
        near = suggestions(phrase, vocabulary)
        if near:
            return CallerError(f"no keyword is called {phrase!r}; did you mean {' or '.join(near)}?")
    return CallerError(f"no keyword is called {words[at]!r}")


def _around(words: Sequence[str], at: int) -> Iterator[str]:
    """Yield the word with its neighbours, the most of them first, and at last alone."""
    for length in range(min(NEAR_WORDS, len(words)), 0, -1):
        for first in range(max(0, at - length + 1), min(at, len(words) - length) + 1):
            yield " ".join(words[first : first + length])
