"""Looks up keywords and colours by a word in any language, or in a given one (``de:Boot``), or by id."""

from __future__ import annotations

import re

from pipeline.colours import colour_id, colour_named, colour_of
from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary, fold
from pipeline.suggest import suggestions

_ID = re.compile(r"n\d{8}|shop-[a-z0-9-]+")  # a WordNet id, or one of a shop's own


def keyword_named(text: str, vocabulary: Vocabulary) -> str:
    """Return the id of the emitted keyword that the text names, or else of the colour.

    *orange* is the fruit; the colour is ``colour:orange``, or its id, ``colour-orange``.

    Raises:
        CallerError: no keyword has that name, or several have.
    """
    if colour_of(text):
        return text
    if text in vocabulary.nodes:
        return _emitted(text, vocabulary)
    ids = _spelled(text, vocabulary)
    if not ids and (colour := colour_named(text)):
        return colour_id(colour)
    if not ids:
        near = suggestions(text, vocabulary)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise CallerError(f"no keyword is called {text!r}{hint}")
    if len(ids) > 1:
        candidates = ", ".join(f"{i} ({_explained(i, vocabulary)})" for i in ids)
        language = vocabulary.languages[0]
        raise CallerError(f"{text!r} names several keywords; say {language}:{text}, or which by its id: {candidates}")
    return ids[0]


def keyword_once_named(text: str, vocabulary: Vocabulary) -> str:
    """Return the same, or the text itself if it is an id: an older vocabulary may have had it.

    Raises:
        CallerError: as for ``keyword_named``.
    """
    return text if _ID.fullmatch(text) else keyword_named(text, vocabulary)


def _spelled(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the ids that the text names: in the language before a colon, or the first language that has it.

    *boot* is footwear in English and a boat in German; the boat is ``de:Boot``.
    """
    language, colon, word = text.partition(":")
    if colon and language in vocabulary.languages:
        return _spelled_in(language, word, vocabulary)
    by_language = (_spelled_in(language, text, vocabulary) for language in vocabulary.languages)
    return next((ids for ids in by_language if ids), ())


def _spelled_in(language: str, word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    folded = fold(word)
    return tuple(keyword.id for keyword in vocabulary.emitted if folded in map(fold, keyword.words.get(language, ())))


def _emitted(keyword_id: str, vocabulary: Vocabulary) -> str:
    keyword = vocabulary.nodes[keyword_id]
    if not keyword.is_emitted:
        raise CallerError(f"{keyword_id} ({keyword.name()}) is no keyword: its use is {keyword.use}")
    return keyword_id


def _explained(keyword_id: str, vocabulary: Vocabulary) -> str:
    keyword = vocabulary.nodes[keyword_id]
    parents = [vocabulary.nodes[parent] for parent in keyword.parents]
    return ", ".join([keyword.name(), *(f"a kind of {parent.name()}" for parent in parents[:1])])
