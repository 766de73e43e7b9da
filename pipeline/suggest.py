"""Did you mean: words of the vocabulary that are spelled almost like another word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.keywords import fold

if TYPE_CHECKING:
    from pipeline.keywords import Vocabulary

MOST = 3  # suggestions
LETTERS_PER_SLIP = 4  # one slip in each four letters: chair may be off by one, rocking chair by three


def suggestions(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return up to three words that are nearly ``word``: nearest first, then those it is a part of."""
    wanted = fold(word)
    limit = max(1, len(wanted) // LETTERS_PER_SLIP)
    ranked: list[tuple[int, int, str]] = []
    for rank, (folded, shown) in enumerate(_spellings(vocabulary).items()):
        slips = 1 if wanted in folded.split() else distance(wanted, folded, limit)
        if slips <= limit:
            ranked.append((slips, rank, shown))
    return tuple(dict.fromkeys(shown for _, _, shown in sorted(ranked)))[:MOST]


def distance(first: str, second: str, limit: int) -> int:
    """Return how many letters must be added, removed, changed or swapped; ``limit + 1`` where it is more."""
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    before: list[int] = []
    above = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, above = above, row
    return min(above[-1], limit + 1)


def _spellings(vocabulary: Vocabulary) -> dict[str, str]:
    """Return how each word is shown, by its folded form; the first language's words come first."""
    spellings: dict[str, str] = {}
    languages = dict.fromkeys(language for keyword in vocabulary.emitted for language in keyword.words)
    for language in languages:
        for keyword in vocabulary.emitted:
            for word in keyword.words.get(language, ()):
                spellings.setdefault(fold(word), word)
    return spellings
