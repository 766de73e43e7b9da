"""From held-out scores to thresholds: the lowest score from which a word is right often enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tagging_lambda.words.head_card import NEVER, HeadKind
from tagging_lambda.words.share import Share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary

# Pooled photos of all words added to each word's own, as a prior. A word with five examples cannot prove a precision of
# 0.95 alone; as scores are calibrated together, the other words' photos show what a score is worth. Of 200 photos of a
# fashion shop, 1 lets 42 % get their word at a held-out precision of 0.952, and 5 lets 35 % at 0.964.
PRIOR_PHOTOS = 1
STEPS = 1000  # thresholds are multiples of 1/1000: finer says nothing
LOWEST = 0.2  # of a word's score, chosen by us: below it a word is a guess, however well it did on these photos


@dataclass(frozen=True, slots=True)
class Group:
    """A keyword above several words of a head, perhaps one of them itself, and those words' columns."""

    id: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """People's labels of photos, for each keyword that a head may give.

    Attributes:
        right: bool [n, columns]: the keyword fits the photo.
        unjudged: bool [n, columns]: the label is broader than the keyword and does not decide it.
        labelled: bool [n, columns]: the label is the keyword itself; for a group, also one below it.
    """

    right: NDArray[np.bool_]
    unjudged: NDArray[np.bool_]
    labelled: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        labels: Sequence[frozenset[str]],
        words: Sequence[str],
        vocabulary: Vocabulary,
        groups: Sequence[Group] = (),
    ) -> Truth:
        """Return the truth for words and groups: what is above a label is right as well."""
        columns = (*words, *(group.id for group in groups))
        above = {word: frozenset(_ancestors(word, vocabulary)) for word in {*columns, *frozenset().union(*labels)}}
        right = np.zeros((len(labels), len(columns)), bool)
        unjudged, labelled = np.zeros_like(right), np.zeros_like(right)
        for row, label in enumerate(labels):
            fitting = label.union(*(above[word] for word in label))
            for column, word in enumerate(columns):
                right[row, column] = word in fitting
                unjudged[row, column] = word not in fitting and bool(label & above[word])
                labelled[row, column] = word in (label if column < len(words) else fitting)
        return cls(right, unjudged, labelled)

    def rows(self, chosen: NDArray[np.bool_]) -> Truth:
        """Return the same for some of the photos."""
        return Truth(self.right[chosen], self.unjudged[chosen], self.labelled[chosen])

    def first(self, count: int) -> Truth:
        """Return the same for the first photos."""
        return Truth(self.right[:count], self.unjudged[:count], self.labelled[:count])


def _ancestors(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    return vocabulary.ancestors(word) if word in vocabulary.nodes else ()


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """The least score to give each word, and each group of words.

    Attributes:
        words: float [words].
        groups: float [groups].
    """

    words: NDArray[np.float64]
    groups: NDArray[np.float64]


def eligible(scores: NDArray[np.float32], kind: HeadKind) -> NDArray[np.bool_]:
    """Return bool [n, words]: where a word may be given at all. Of exclusive words only the strongest may.

    Args:
        scores: float32 [n, words + 1], *other* last.
        kind: of the head.
    """
    words = scores[:, :-1]
    if kind is HeadKind.SIGMOID:
        return np.ones(words.shape, bool)
    return np.asarray(np.arange(words.shape[1])[None] == words.argmax(axis=1)[:, None])


def group_scores(scores: NDArray[np.float32], groups: Sequence[Group], kind: HeadKind) -> NDArray[np.float32]:
    """Return float32 [n, groups] for the scores of the words."""
    columns = [
        np.minimum(1, scores[:, group.members].sum(axis=1))
        if kind is HeadKind.SOFTMAX
        else scores[:, group.members].max(axis=1)
        for group in groups
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(scores), 0), np.float32)


# Words with few photos borrow evidence from all words (DECISIONS.md, 36).
def find_thresholds(
    scores: NDArray[np.float32], truth: Truth, groups: Sequence[Group], kind: HeadKind, precision: float
) -> Thresholds:
    """Return the lowest thresholds at which words, then groups of words, are right on this share of the photos.

    Args:
        scores: float32 [n, words + 1] of photos that the head did not learn from, *other* last.
        truth: of the words and, in the columns after them, the groups.
        groups: the narrowest first.
        kind: of the head.
        precision: in [0, 1].
    """
    count = scores.shape[1] - 1
    may_be_said = eligible(scores, kind) & ~truth.unjudged[:, :count]
    pooled = _Pooled.of(scores[:, :-1][may_be_said], truth.right[:, :count][may_be_said])
    words = np.array(
        [
            _lowest(
                scores[may_be_said[:, column], column], truth.right[may_be_said[:, column], column], pooled, precision
            )
            for column in range(count)
        ]
    )
    # A group is only for photos with no sure word; it is measured on those alone, where it is less often right.
    silent = ~((scores[:, :-1] >= words) & eligible(scores, kind)).any(axis=1)
    sums = group_scores(scores, groups, kind)
    groups_said = []
    for column, _ in enumerate(groups):
        judged = silent & ~truth.unjudged[:, count + column]
        threshold = _lowest(sums[judged, column], truth.right[judged, count + column], pooled, precision)
        groups_said.append(threshold)
        silent = silent & (sums[:, column] < threshold)
    return Thresholds(words, np.array(groups_said))


@dataclass(frozen=True, slots=True, eq=False)
class _Pooled:
    """How often words with at least a score are right, over all words: float [n] each, scores descending."""

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.float32], right: NDArray[np.bool_]) -> _Pooled:
        order = np.argsort(-scores, kind="stable")
        counts = np.arange(1, len(order) + 1)
        return cls(scores[order].astype(np.float64), np.cumsum(right[order]) / counts)

    def at(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float [m], the precision from each score on; 0 if nothing has such a score."""
        if not len(self.scores):
            return np.zeros(len(scores))
        places = np.searchsorted(-self.scores, -scores, side="right") - 1
        return np.asarray(self.precision[np.maximum(places, 0)])


def _lowest(scores: NDArray[np.float32], right: NDArray[np.bool_], pooled: _Pooled, precision: float) -> float:
    """Return the lowest score from which enough are right, with the pooled photos as prior; `NEVER` if none."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order].astype(np.float64)
    counts = np.arange(1, len(order) + 1)
    smoothed = (np.cumsum(right[order]) + PRIOR_PHOTOS * pooled.at(ordered)) / (counts + PRIOR_PHOTOS)
    is_last_of_its_score = np.append(ordered[1:] < ordered[:-1], True)[: len(order)]
    enough = np.flatnonzero((smoothed >= precision) & is_last_of_its_score & (ordered >= LOWEST))
    return float(np.floor(ordered[enough[-1]] * STEPS) / STEPS) if len(enough) else NEVER


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Which keywords photos get: bool [n, words + groups]."""

    keywords: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: NDArray[np.float32], thresholds: Thresholds, groups: Sequence[Group], kind: HeadKind) -> Said:
        """Return the keywords by these thresholds; a group only if nothing narrower is given."""
        words = (scores[:, :-1] >= thresholds.words) & eligible(scores, kind)
        sums = group_scores(scores, groups, kind)
        silent = ~words.any(axis=1)
        columns = []
        for column in range(len(groups)):
            own = silent & (sums[:, column] >= thresholds.groups[column])
            columns.append(own)
            silent = silent & ~own
        return cls(np.column_stack([words, *columns]) if columns else words)

    def precision_of(self, column: int, truth: Truth) -> Share:
        """Return how often the keyword was right, of the judged photos that got it."""
        judged = self.keywords[:, column] & ~truth.unjudged[:, column]
        return Share(int((judged & truth.right[:, column]).sum()), int(judged.sum()))

    def recall_of(self, column: int, truth: Truth) -> Share:
        """Return how often the keyword was given, of the photos labelled with it."""
        labelled = truth.labelled[:, column]
        return Share(int((labelled & self.keywords[:, column]).sum()), int(labelled.sum()))
