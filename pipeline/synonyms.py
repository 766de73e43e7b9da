"""Words that shoppers type for something the taxonomy calls by another name, or for its nearest match.

They are for searching only: neither photos nor exports carry them. A shop adds words of its own to a keyword in its
overlay of the taxonomy.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.errors import BadTaxonomy, CallerError

if TYPE_CHECKING:
    from pipeline.csv_rows import CsvRow
    from pipeline.keywords import Vocabulary

SYNONYMS_PATH = Path(__file__).with_name("synonyms.csv")
# A file, because whoever corrects it speaks a language and need not write Python (DECISIONS.md, 162).
WORDS_PATH = Path(__file__).with_name("query_words.csv")
# Keywords that mostly say what another thing is made of, when they stand beside it: wool, velvet.
MATERIALS = frozenset({"n04599235", "n04525038"})


class WordKind(StrEnum):
    """What a word of a query can be beside a keyword's name."""

    FORM = "form"  # a plural or another form that no rule of the language covers; it means the form in the taxonomy
    COLOUR = "colour"  # another name of the colour that it means
    STOP = "stop"  # says nothing about a photo, so that searches ignore it silently
    NEGATION = "negation"  # leaves out what follows it
    UNSAID = "unsaid"  # for what photos do not show; spelled correctly, although word lists lack it


@cache
def special_words(kind: WordKind, language: str) -> Mapping[str, str]:
    """Return the words of that kind, folded, each with what it means; a shop's own language has none."""
    words = (row for row in _rows(WORDS_PATH, ("kind", "language", "word", "means")) if row["kind"] == kind)
    return {row["word"]: row["means"] for row in words if row["language"] == language}


def load_synonyms(vocabulary: Vocabulary, path: Path = SYNONYMS_PATH) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return for each language the ids of the keywords that a synonym leads to.

    A keyword that the vocabulary lacks is skipped: a shop may have another taxonomy.

    Raises:
        BadTaxonomy: the file cannot be read.
    """
    # Kept apart from names, which photos and exports show (DECISIONS.md, 60).
    synonyms: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in vocabulary.languages}
    for row in _rows(path, ("id",)):
        for language, words in synonyms.items() if row["id"] in vocabulary.nodes else ():
            for word in row.several(language):
                words[word] = (*words.get(word, ()), row["id"])
    return synonyms


@cache
def _rows(path: Path, needed: tuple[str, ...]) -> tuple[CsvRow, ...]:
    try:
        return tuple(rows(path, needed))
    except CallerError as error:
        raise BadTaxonomy(str(error)) from error
