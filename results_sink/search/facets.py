"""Facets: how many of the results carry each keyword, or one below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keywords import LANGUAGES, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


BITS = 64  # of a machine word: names counted at once
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")


@dataclass(frozen=True, slots=True)
class Facet:
    """A keyword's name, and how many results carry a keyword of this name or one below it."""

    keyword: str
    count: int


class FacetNames:
    """The names a keyword counts for in a language: its own, and those of the keywords above it."""

    def __init__(self, vocabulary: Vocabulary, language: str = LANGUAGES[0]) -> None:
        """Number the names; two keywords with one name are one facet."""
        names = {keyword.id: keyword.name(language) for keyword in vocabulary.emitted}
        self.names = sorted(set(names.values()))
        numbers = {name: number for number, name in enumerate(self.names)}
        self._numbers = {keyword_id: numbers[name] for keyword_id, name in names.items()}
        self._vocabulary = vocabulary
        self._above: dict[str, frozenset[int]] = {}

    def of_set(self, keyword_ids: Iterable[str]) -> list[int]:
        """Return the numbers of the names that these keywords count for."""
        return sorted(frozenset().union(*(self._of_keyword(keyword_id) for keyword_id in keyword_ids)))

    def _of_keyword(self, keyword_id: str) -> frozenset[int]:
        if keyword_id not in self._above:
            is_known = keyword_id in self._vocabulary.nodes
            line = (keyword_id, *self._vocabulary.ancestors(keyword_id)) if is_known else ()
            self._above[keyword_id] = frozenset(self._numbers[node] for node in line if node in self._numbers)
        return self._above[keyword_id]


class FacetCounter:
    """Counts names by keyword set: there are far fewer sets than images."""

    def __init__(self, names: FacetNames, keyword_sets: Sequence[Sequence[str]]) -> None:
        """Look up the names of each set; its index is its code."""
        self._names = names
        of_sets = [names.of_set(keyword_ids) for keyword_ids in keyword_sets]
        self._lengths = np.array([len(numbers) for numbers in of_sets], np.int64)
        self._numbers = np.array([number for numbers in of_sets for number in numbers], np.int64)

    def of_images(self, set_codes: NDArray[np.int64], limit: int) -> tuple[Facet, ...]:
        """Return the most frequent names of images with these sets of keywords, the most frequent first."""
        return self._ranked(self._image_counts(set_codes), limit)

    def of_products(self, set_codes: NDArray[np.int64], begins: NDArray[np.int64], limit: int) -> tuple[Facet, ...]:
        """Return the most frequent names of products; ``begins`` has the index of each one's first image.

        A product counts a name once, so a name is on no more products than images: names are counted 64 at a time,
        those on most images first, until no remaining name can be among the most frequent.
        """
        images = self._image_counts(set_codes)
        if len(begins) == len(set_codes):
            return self._ranked(images, limit)
        counts = np.zeros_like(images)
        frequent = np.argsort(-images, kind="stable")[: np.count_nonzero(images)]
        for first in range(0, len(frequent), BITS):
            block = frequent[first : first + BITS]
            counts[block] = self._product_counts(block, set_codes, begins)
            rest = frequent[first + BITS :]
            if len(rest) and images[rest[0]] < np.sort(counts)[-limit:][0]:
                break
        return self._ranked(counts, limit)

    def _image_counts(self, set_codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of these images have each name: int64 [names]."""
        of_sets = np.bincount(set_codes, minlength=len(self._lengths))
        weights = np.repeat(of_sets, self._lengths)
        return np.bincount(self._numbers, weights, len(self._names.names)).astype(np.int64)

    def _product_counts(
        self, names: NDArray[np.int64], set_codes: NDArray[np.int64], begins: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return how many products have each of up to 64 names: int64 [len(names)]."""
        bits = np.zeros(len(self._names.names), np.uint64)
        bits[names] = np.uint64(1) << np.arange(len(names), dtype=np.uint64)
        masks = np.zeros(len(self._lengths), np.uint64)
        np.bitwise_or.at(masks, np.repeat(np.arange(len(masks)), self._lengths), bits[self._numbers])
        of_products = np.bitwise_or.reduceat(masks[set_codes], begins).view(np.uint8).reshape(-1, BITS // 8)
        of_bytes = np.stack([np.bincount(column, minlength=256) for column in of_products.T])
        return np.asarray((of_bytes @ _BITS_OF_BYTE).ravel()[: len(names)])

    def _ranked(self, counts: NDArray[np.int64], limit: int) -> tuple[Facet, ...]:
        counted = [(-int(counts[number]), self._names.names[number]) for number in np.flatnonzero(counts)]
        return tuple(Facet(name, -count) for count, name in sorted(counted)[:limit])
