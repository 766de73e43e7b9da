"""The index: images in memory, with a dense array of scores for each keyword queried."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.query import AllOf, AnyOf, AtLeast, Colour, Everything, Node, Term, Without

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from results_sink.export.columns import ImageColumns

NOT_FOUND = np.float32(-1)  # the score of an image that does not match: below every real score
KEPT_SCORE_BYTES = 120_000_000  # of scores by keyword, chosen by us: thirty keywords of a million images
HASH_SEED = 20260101  # of the hashes of keyword sets: the same in every process


class ImageIndex:
    """Images of a snapshot, or those that changed since. Rows count from 0."""

    def __init__(self, columns: ImageColumns) -> None:
        """Sort the keywords' images; a keyword's score array is built on first use."""
        self.columns = columns
        self._numbers = {keyword_id: number for number, keyword_id in enumerate(columns.keyword_ids)}
        order = np.argsort(columns.keywords, kind="stable")
        lengths = np.diff(columns.offsets)
        self._rows = np.repeat(np.arange(len(columns), dtype=np.uint32), lengths)[order]
        self._scores = columns.scores[order].astype(np.float32)
        self._ends = np.cumsum(np.bincount(columns.keywords, minlength=len(columns.keyword_ids)))
        self._kept: OrderedDict[frozenset[str], NDArray[np.float32]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.columns)

    def scores_of(self, node: Node) -> NDArray[np.float32]:
        """Return the score of each image, or ``NOT_FOUND``: float32 [N], read-only for callers.

        ``AllOf`` scores as its lowest part, ``AnyOf`` as its highest.
        """
        # DECISIONS.md, 57: dense arrays cost the same for every query and need no second form for common words.
        match node:
            case Term():
                scores = self._term_scores(node.keyword_ids)
            case AllOf():
                scores = reduce(np.minimum, [self.scores_of(part) for part in node.parts])
            case AnyOf():
                scores = reduce(np.maximum, [self.scores_of(part) for part in node.parts])
            case Without():
                scores = np.where(self.scores_of(node.part) >= 0, NOT_FOUND, self._tagged_scores)
            case AtLeast():
                scores = self.scores_of(node.part)
                scores = np.where(scores >= np.float32(node.score), scores, NOT_FOUND)
            case Colour():
                scores = self._colour_scores(node.colour_id)
            case Everything():
                scores = self._tagged_scores
        return scores

    @cached_property
    def surest_scores(self) -> NDArray[np.float32]:
        """The score of each image's surest keyword, 0 if it has none: float32 [N]."""
        surest = np.zeros(len(self), np.float32)
        np.maximum.at(surest, self._rows, self._scores)
        return surest

    @cached_property
    def set_codes(self) -> NDArray[np.int64]:
        """A number for each image that is the same for images with the same set of keywords: int64 [N]."""
        return self._sets[0]

    @cached_property
    def keyword_sets(self) -> list[tuple[str, ...]]:
        """The keywords of each set, by the set's number."""
        ids, offsets, keywords = self.columns.keyword_ids, self.columns.offsets, self.columns.keywords
        return [tuple(ids[number] for number in keywords[offsets[row] : offsets[row + 1]]) for row in self._sets[1]]

    @cached_property
    def _sets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The set of each image, and an image of each set.

        A set is identified by the sum of its keywords' random 64-bit numbers, which does not depend on their order.
        Among a million sets, two collide with a probability of 3e-8.
        """
        drawn = np.random.default_rng(HASH_SEED).integers(0, 2**64, len(self._numbers), np.uint64)
        sums = np.cumsum(np.append(np.zeros(1, np.uint64), drawn[self.columns.keywords]), dtype=np.uint64)
        of_images = sums[self.columns.offsets[1:]] - sums[self.columns.offsets[:-1]]
        _, examples, codes = np.unique(of_images, return_index=True, return_inverse=True)
        return codes, examples

    @cached_property
    def _tagged_scores(self) -> NDArray[np.float32]:
        return np.where(self.columns.is_tagged, np.float32(1), NOT_FOUND)

    def _term_scores(self, keyword_ids: frozenset[str]) -> NDArray[np.float32]:
        """Return the best score of each image among these keywords, cached if queried before."""
        if keyword_ids not in self._kept:
            scores = np.full(len(self), NOT_FOUND)
            for number in sorted(self._numbers[keyword_id] for keyword_id in keyword_ids & self._numbers.keys()):
                begin, end = int(self._ends[number - 1]) if number else 0, int(self._ends[number])
                rows = self._rows[begin:end]
                scores[rows] = np.maximum(scores[rows], self._scores[begin:end])
            self._kept[keyword_ids] = scores
            while len(self._kept) > 1 and len(self._kept) * scores.nbytes > KEPT_SCORE_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(keyword_ids)
        return self._kept[keyword_ids]

    def _colour_scores(self, colour_id: str) -> NDArray[np.float32]:
        colours = self.columns.colours
        has_colour = colours.has(colour_id) if colours else np.zeros(len(self), np.bool_)
        return np.where(has_colour & self.columns.is_tagged, np.float32(1), NOT_FOUND)
