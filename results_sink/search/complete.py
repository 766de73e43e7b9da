"""The verb complete: words that start with the last word typed, and how many images each would match."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.colours import COLOUR_PREFIX, COLOURS, colour_id, colour_words
from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary, fold
from results_sink.search.filters import NO_FILTERS, Filters
from results_sink.search.query import Colour, Node, Term
from results_sink.search.search import Searcher, SearchRequest

LIMIT = 10  # default number of suggestions
MOST_WORDS = 4  # typed words that may together be the start of one keyword
COUNTED_FOR_EACH = 2  # chosen by us: candidates counted per suggestion wanted, as some match nothing
_LAST = "\U0010ffff"  # sorts after every character of a word


@dataclass(frozen=True, slots=True, order=True)
class _Spelling:
    folded: str
    word: str
    keyword_id: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A word, and the keyword or colour it means.

    Attributes:
        word: as displayed.
        keyword_id: the keyword's id; for a colour ``colour-`` and its id.
        query: the whole query with the unfinished word replaced.
        images: how many images the query matches.
    """

    word: str
    keyword_id: str
    query: str = ""
    images: int = 0

    @property
    def is_colour(self) -> bool:
        """Whether the word is a colour, not a keyword."""
        return self.keyword_id.startswith(COLOUR_PREFIX)


class Completer:
    """Holds the sorted words of each language."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Sort the words of every language, also by each later word of a name: ``chair`` of ``rocking chair``."""
        self._vocabulary = vocabulary
        self._languages = {
            language: sorted(
                {
                    _Spelling(" ".join(parts[first:]), word, keyword.id)
                    for keyword in vocabulary.emitted
                    for word in keyword.words.get(language, ())
                    for parts in [fold(word).split()]
                    for first in range(len(parts))
                }
            )
            for language in vocabulary.languages
        }

    def complete(self, typed: str, language: str, images: Mapping[str, int], limit: int = LIMIT) -> list[Completion]:
        """Return names in which some word starts like this, those on most images first, each keyword once.

        Raises:
            CallerError: there are no words in that language.
        """
        if language not in self._languages:
            raise CallerError(f"there are no words in {language!r}; there are in {', '.join(self._languages)}")
        spellings, begun = self._languages[language], fold(typed)
        first = bisect_left(spellings, begun, key=lambda spelling: spelling.folded)
        end = bisect_left(spellings, begun + _LAST, key=lambda spelling: spelling.folded)
        ranks: dict[str, tuple[bool, int, str]] = {}
        for spelling in spellings[first:end]:
            is_inside = not fold(spelling.word).startswith(begun)
            rank = (is_inside, -images.get(spelling.keyword_id, 0), spelling.word)
            ranks[spelling.keyword_id] = min(rank, ranks.get(spelling.keyword_id, rank))
        ranked = sorted((rank, keyword_id) for keyword_id, rank in ranks.items())
        return [Completion(word, keyword_id, word, -images) for (_, images, word), keyword_id in ranked[:limit]]

    def complete_query(
        self, typed: str, language: str, searcher: Searcher, limit: int = LIMIT, filters: Filters = NO_FILTERS
    ) -> list[Completion]:
        """Return words and colours that complete the last word typed, those that match most images first.

        As many of the last words as possible are completed together: *running sh* to *running shoe*. What matches no
        image is not suggested.

        Raises:
            CallerError: there are no words in that language.
            BadExport: a file of the export is missing or damaged.
        """
        words = typed.split()
        for count in range(min(MOST_WORDS, len(words)), 0, -1):
            before, begun = " ".join(words[:-count]), " ".join(words[-count:])
            candidates = self.complete(begun, language, searcher.images_by_keyword, COUNTED_FOR_EACH * limit)
            candidates += self._colours(begun, language) if searcher.has_colours else []
            if candidates:
                break
        else:
            return []
        request = SearchRequest(before, language=language, facets=0, filters=filters)
        left = searcher.counts_of({completion.keyword_id: self._node(completion) for completion in candidates}, request)
        completions = [
            Completion(completion.word, completion.keyword_id, f"{before} {completion.word}".strip(), images)
            for completion in candidates
            if (images := left[completion.keyword_id])
        ]
        return sorted(completions, key=lambda completion: -completion.images)[:limit]

    def _node(self, completion: Completion) -> Node:
        if completion.is_colour:
            return Colour(completion.keyword_id.removeprefix(COLOUR_PREFIX))
        return Term(self._vocabulary.descendants(completion.keyword_id))

    @staticmethod
    def _colours(begun: str, language: str) -> list[Completion]:
        words = ((colour, colour_words(colour).get(language, "")) for colour in COLOURS)
        return [
            Completion(word, colour_id(colour)) for colour, word in words if fold(word).startswith(fold(begun)) and word
        ]
