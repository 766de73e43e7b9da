"""The verb complete: words of the vocabulary that begin as what was typed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.keywords import fold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.keywords import Vocabulary

LIMIT = 10  # suggestions, where no number is given
_LAST = "\U0010ffff"  # behind every character of a word


@dataclass(frozen=True, slots=True, order=True)
class _Spelling:
    folded: str
    word: str
    keyword_id: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A word, and the keyword it means."""

    word: str
    keyword_id: str


class Completer:
    """Knows the words of each language in their order."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Sort the words of every language; each word of a name is a beginning too: ``chair`` of ``rocking chair``."""
        self._languages = {
            language: sorted(
                {
                    _Spelling(" ".join(parts[at:]), word, keyword.id)
                    for keyword in vocabulary.emitted
                    for word in keyword.words.get(language, ())
                    for parts in [fold(word).split()]
                    for at in range(len(parts))
                }
            )
            for language in vocabulary.languages
        }

    def complete(self, typed: str, language: str, images: Mapping[str, int], limit: int = LIMIT) -> list[Completion]:
        """Return words that begin so, or have a word that does: those on most images first, each keyword once.

        Raises:
            CallerError: there are no words in that language.
        """
        if language not in self._languages:
            raise CallerError(f"there are no words in {language!r}; there are in {', '.join(self._languages)}")
        spellings, begun = self._languages[language], fold(typed)
        here = bisect_left(spellings, begun, key=lambda each: each.folded)
        behind = bisect_left(spellings, begun + _LAST, key=lambda each: each.folded)
        found: dict[str, tuple[bool, int, str]] = {}
        for each in spellings[here:behind]:
            later = not fold(each.word).startswith(begun)
            rank = (later, -images.get(each.keyword_id, 0), each.word)
            found[each.keyword_id] = min(rank, found.get(each.keyword_id, rank))
        ranked = sorted((rank, keyword_id) for keyword_id, rank in found.items())
        return [Completion(word, keyword_id) for (_, _, word), keyword_id in ranked[:limit]]
