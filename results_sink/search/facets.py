"""Facets: how many of the results carry each keyword, or one below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keywords import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary

BITS = 64  # of a machine's word: so many names are counted at once
MOSTLY_ALONE = 0.9  # of groups; measured: with .98 alone parting takes half the time, with .70 half as much again


@dataclass(frozen=True, slots=True)
class Facet:
    """A keyword's name, and how many results carry a keyword of this name or one below it."""

    keyword: str
    count: int


class Facets:
    """Counts by sets of keywords: what names a set stands for is found out once."""

    def __init__(self, vocabulary: Vocabulary, language: str = LANGUAGES[0]) -> None:
        """Know no set yet; names are those of the language."""
        self._vocabulary = vocabulary
        self._shown = {keyword.id: keyword.name(language) for keyword in vocabulary.emitted}
        self._numbers: dict[str, int] = {}  # of names
        self._names_of: dict[str, frozenset[int]] = {}
        self._names = _Growing()  # the names of the first set, then of the second, ...
        self._ends = _Growing()  # behind which the names of each set end
        self._known = 0

    def learn(self, sets: Sequence[str]) -> None:
        """Know these sets of keyword ids, each joined by ``|``, of which the first are known already."""
        names = [sorted(self._names_in(each)) for each in sets[self._known :]]
        lengths = np.array([len(each) for each in names], np.int64)
        self._ends.add(len(self._names.values) + np.cumsum(lengths))
        self._names.add(np.array([number for each in names for number in each], np.int64))
        self._known = len(sets)

    def of_images(self, set_codes: NDArray[np.int32], most: int) -> tuple[Facet, ...]:
        """Return the facets of images with these sets of keywords, the most frequent first."""
        return self._ranked(self._counted(set_codes), most)

    def of_groups(self, set_codes: NDArray[np.int32], starts: NDArray[np.int64], most: int) -> tuple[Facet, ...]:
        """Return the facets of groups of images, of which each begins where it says; a group counts a name once.

        Where most groups are of one image, those are counted as images, all names at once. A name is on no more groups
        than images: so names are counted by the other groups 64 at a time, those on most images first, until none that
        is left can be among the most frequent.
        """
        if not len(starts):
            return ()
        alone, codes, starts = _alone_and_together(set_codes, starts)
        by_alone, images = self._counted(alone), self._counted(set_codes)
        counts = np.zeros(len(self._numbers), np.int64)
        by_images = np.argsort(-images, kind="stable")[: np.count_nonzero(images)]
        for first in range(0, len(by_images), BITS):
            block = by_images[first : first + BITS]
            counts[block] = by_alone[block] + self._by_groups(block, codes, starts)
            left = images[by_images[first + BITS]] if first + BITS < len(by_images) else 0
            if left < np.sort(counts)[-most:][0]:
                break
        return self._ranked(counts, most)

    def _by_groups(
        self, names: NDArray[np.int64], set_codes: NDArray[np.int32], starts: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return on how many groups each of up to 64 names is: int64 [len(names)]."""
        bit_of = np.zeros(len(self._numbers), np.uint64)
        bit_of[names] = np.uint64(1) << np.arange(len(names), dtype=np.uint64)
        begins = np.concatenate([[0], self._ends.values[:-1]])
        filled = begins < self._ends.values
        masks = np.zeros(self._known, np.uint64)
        if filled.any():
            masks[filled] = np.bitwise_or.reduceat(bit_of[self._names.values], begins[filled])
        if not len(starts):
            return np.zeros(len(names), np.int64)
        seen = np.bitwise_or.reduceat(masks[set_codes], starts).view(np.uint8).reshape(-1, 8)
        filled_bytes = -(-len(names) // 8)
        of_byte = np.stack([np.bincount(seen[:, byte], minlength=256) for byte in range(filled_bytes)])
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        return (of_byte @ bits).ravel()[: len(names)]

    def _counted(self, set_codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return on how many of these images each name is."""
        if len(set_codes) < self._known:
            return np.bincount(self._names_at(set_codes)[0], minlength=len(self._numbers))
        images = np.bincount(set_codes, minlength=self._known)
        lengths = np.diff(self._ends.values, prepend=0)
        return np.bincount(self._names.values, np.repeat(images, lengths), len(self._numbers)).astype(np.int64)

    def _names_at(self, set_codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the names of all these sets, one set after the other, and how many each has."""
        ends = self._ends.values[set_codes]
        lengths = np.diff(self._ends.values, prepend=0)[set_codes] if len(set_codes) else ends
        before = np.cumsum(lengths) - lengths
        within = np.arange(lengths.sum()) - np.repeat(before, lengths)
        return self._names.values[np.repeat(ends - lengths, lengths) + within], lengths

    def _ranked(self, counts: NDArray[np.int64], most: int) -> tuple[Facet, ...]:
        found = [(-int(counts[number]), name) for name, number in self._numbers.items() if counts[number]]
        return tuple(Facet(name, -count) for count, name in sorted(found)[:most])

    def _names_in(self, joined_ids: str) -> frozenset[int]:
        ids = joined_ids.split("|") if joined_ids else ()
        return frozenset().union(*(self._names_above(each) for each in ids))

    def _names_above(self, keyword_id: str) -> frozenset[int]:
        """Return the names, as numbers, of this keyword and of those above it."""
        if keyword_id not in self._names_of:
            known = keyword_id in self._vocabulary.nodes
            line = (keyword_id, *self._vocabulary.ancestors(keyword_id)) if known else ()
            names = [self._shown[each] for each in line if each in self._shown]
            self._names_of[keyword_id] = frozenset(self._numbers.setdefault(n, len(self._numbers)) for n in names)
        return self._names_of[keyword_id]


def _alone_and_together(
    set_codes: NDArray[np.int32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return the images that are a group alone, those of the other groups, and where among them each group begins.

    Where too few are alone to be worth the parting, none is said to be.
    """
    lengths = np.diff(starts, append=len(set_codes))
    is_alone = lengths == 1
    if np.count_nonzero(is_alone) < MOSTLY_ALONE * len(starts):
        return set_codes[:0], set_codes, starts
    together = lengths[~is_alone]
    is_of_several = np.repeat(~is_alone, lengths)
    return set_codes[starts[is_alone]], set_codes[is_of_several], np.cumsum(together) - together


class _Growing:
    """Numbers to which more are added, at a cost that grows with what is added."""

    def __init__(self) -> None:
        self._room, self._filled = np.empty(1024, np.int64), 0

    @property
    def values(self) -> NDArray[np.int64]:
        return self._room[: self._filled]

    def add(self, values: NDArray[np.int64]) -> None:
        end = self._filled + len(values)
        if end > len(self._room):
            self._room = np.concatenate([self.values, np.empty(2 * end - self._filled, np.int64)])
        self._room[self._filled : end] = values
        self._filled = end
