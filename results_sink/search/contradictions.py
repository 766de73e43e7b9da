"""Which images have keywords that contradict the shop's own listing: its title and tags."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keywords import Source, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from results_sink.search.image_index import ImageIndex
    from results_sink.search.words import Lexicon

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")  # no numbers: they name nothing


class ListingReader:
    """Finds keywords in shops' texts, by the names and synonyms of one language."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Index names of several words by their first word, longest first."""
        self._stem = cache(lexicon.key)
        self._lexicon = lexicon
        self._names: dict[str, list[tuple[list[str], tuple[str, ...]]]] = {}
        for name, meaning in (*lexicon.names.items(), *lexicon.synonyms.items()):
            first, *others = lexicon.key(name).split()
            if others:
                self._names.setdefault(first, []).append(([first, *others], meaning.keyword_ids))
        for names in self._names.values():
            names.sort(key=lambda name: -len(name[0]))
        self._single = cache(self._read_single)

    def keyword_ids(self, text: str) -> frozenset[str]:
        """Return the keywords that a text names; adjacent words that form one name count as that name alone."""
        words = _WORD.findall(text)
        stems = [self._stem(word) for word in words]
        named: set[str] = set()
        first = 0
        while first < len(words):
            count, keyword_ids = self._longest(stems, first) or (1, self._single(words[first]))
            named.update(keyword_ids)
            first += count
        return frozenset(named)

    def _longest(self, stems: Sequence[str], first: int) -> tuple[int, tuple[str, ...]] | None:
        for name, keyword_ids in self._names.get(stems[first], ()):
            if stems[first : first + len(name)] == name:
                return len(name), keyword_ids
        return None

    def _read_single(self, word: str) -> tuple[str, ...]:
        lexicon = self._lexicon
        meaning = lexicon.exact(word) or lexicon.inflected(word) or lexicon.compounded(word)
        return meaning.keyword_ids if meaning else ()


# DECISIONS.md, 143: the shop's listing is already in the export, so no list of labels is needed.
def contradicted(index: ImageIndex, reader: ListingReader, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Return which images have keywords, none of which fits one that the shop names: bool [N].

    A keyword fits another if it is the same, above or below it. On both sides only the most specific ones count, as a
    dress and a boot are both clothing. An image with a pinned keyword is never contradicted.
    """
    columns = index.columns
    texts, text_of_row = columns.listing_texts()
    named = [reader.keyword_ids(text) for text in texts]
    is_named = np.array([bool(keyword_ids) for keyword_ids in named], np.bool_)
    has_keywords = np.diff(columns.offsets) > 0
    rows = np.flatnonzero(is_named[text_of_row] & has_keywords & ~columns.has_source(Source.HUMAN))
    # Thousands of images share the same listing and keywords: each such pair is judged once.
    numbers = {keyword_ids: number for number, keyword_ids in enumerate(dict.fromkeys(named))}
    number_of_text = np.array([numbers[keyword_ids] for keyword_ids in named], np.int64)
    sets = index.keyword_sets
    pairs, pair_of_row = np.unique(
        number_of_text[text_of_row[rows]] * len(sets) + index.set_codes[rows], return_inverse=True
    )
    fitting = [_related(_most_specific(keyword_ids, vocabulary), vocabulary) for keyword_ids in numbers]
    fits = [
        not fitting[pair // len(sets)].isdisjoint(_most_specific(sets[pair % len(sets)], vocabulary))
        for pair in pairs.tolist()
    ]
    flags = np.zeros(len(columns), np.bool_)
    flags[rows] = ~np.array(fits, np.bool_)[pair_of_row]
    return flags


def _related(keyword_ids: Iterable[str], vocabulary: Vocabulary) -> frozenset[str]:
    """Return these keywords and those above and below them."""
    lines = ((*vocabulary.ancestors(keyword_id), *vocabulary.descendants(keyword_id)) for keyword_id in keyword_ids)
    return frozenset(related for line in lines for related in line)


def _most_specific(keyword_ids: Iterable[str], vocabulary: Vocabulary) -> frozenset[str]:
    """Return the keywords that have none of the others below them."""
    known = frozenset(keyword_ids) & vocabulary.nodes.keys()
    return known.difference(*(vocabulary.ancestors(keyword_id) for keyword_id in known))
