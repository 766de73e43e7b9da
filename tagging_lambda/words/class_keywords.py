"""From class scores to keywords: sums classes up the tree and keeps the sure keywords."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keywords import Keyword, KeywordTag, Use, Vocabulary
from pipeline.records import SCORE_STEPS, ClassScore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray


# With these kept, 98.6 % of 1,837 photos get the same keywords as with all 1,000 classes, from 13 classes (51 bytes)
# on average; 50 classes: 99.5 %, 10 classes: 96.8 %.
KEPT_CLASSES = 20  # classes per image
KEPT_SCORE = 0.001  # probability
# Chosen on 1,192 labelled clothing photos. At the same sum, classes that agree are more often right than one alone: of
# keywords with a sum of 0.5 to 0.7, 81 % were right if no class had over 60 % of it, 43 % if one had over 95 %. One
# class alone was right in 62 % from 0.8 to 0.9 and in 92 % above. Of 106 photos whose class has its own word, 80 get it
# at 0.8 and 68 at 0.9 (DECISIONS.md, 7).
CLASS_THRESHOLD = 0.8  # probability, if one class has nearly all of it
GROUP_THRESHOLD = 0.5  # probability, if several classes agree
MOST_KEYWORDS = 8  # keywords per image, chosen by us: three kinds of goods with their ancestors
# A fallback word only leads to narrower words (DECISIONS.md, 34).
_NEVER = 2.0  # above any probability: a department is never a photo's keyword, it only finds what is below it
_EMITTED = frozenset({Use.KEYWORD, Use.FALLBACK})


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The keywords that a model's classes can lead to, ready for summing.

    Attributes:
        vocabulary: its source.
        keyword_ids: every keyword that some class leads to, the most specific first.
        thresholds: the least probability of each keyword; None where the general rule applies.
        above_class: per class index, the positions in `keyword_ids` of the class itself and its ancestors.
        above_keyword: per keyword, the positions of the ancestors that it implies.
    """

    vocabulary: Vocabulary
    keyword_ids: tuple[str, ...]
    thresholds: tuple[float | None, ...]
    above_class: tuple[tuple[int, ...], ...]
    above_keyword: tuple[tuple[int, ...], ...]

    @property
    def version(self) -> str:
        """The version of the taxonomy file's content."""
        return self.vocabulary.version

    @classmethod
    def of(cls, vocabulary: Vocabulary, class_ids: Sequence[str]) -> Taxonomy:
        """Return the taxonomy for a model whose classes have these ids, in the order of the class indices.

        A class that the vocabulary lacks, or that is not goods, leads to no keyword.
        """
        lines = [_upwards(vocabulary, class_id, _EMITTED) for class_id in class_ids]
        classes_below = Counter(node_id for line in lines for node_id in line)
        ids = _narrowest_first(classes_below, vocabulary)
        positions = {node_id: position for position, node_id in enumerate(ids)}
        said_along = (_upwards(vocabulary, node_id, {Use.KEYWORD})[1:] for node_id in ids)
        return cls(
            vocabulary=vocabulary,
            keyword_ids=tuple(ids),
            thresholds=tuple(_threshold(vocabulary.nodes[node_id]) for node_id in ids),
            above_class=_positions(lines, positions),
            above_keyword=_positions(said_along, positions),
        )


def _positions(lines: Iterable[Sequence[str]], positions: Mapping[str, int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(positions[node_id] for node_id in line) for line in lines)


def _narrowest_first(classes_below: Counter[str], vocabulary: Vocabulary) -> list[str]:
    """Return the nodes by the number of classes that lead to each; on a tie, children before parents."""
    children_first = reversed([node_id for node_id in vocabulary.nodes if node_id in classes_below])
    return sorted(children_first, key=classes_below.__getitem__)


def _upwards(vocabulary: Vocabulary, node_id: str, uses: Collection[Use]) -> list[str]:
    """Return the nodes with these uses among a node and its ancestors, each once, the node first."""
    if node_id not in vocabulary.nodes or vocabulary.nodes[node_id].use is Use.NOT_GOODS:
        return []
    line = (node_id, *vocabulary.ancestors(node_id))
    return [ancestor_id for ancestor_id in line if vocabulary.nodes[ancestor_id].use in uses]


def _threshold(keyword: Keyword) -> float | None:
    return _NEVER if keyword.use is Use.FALLBACK else keyword.threshold


def strongest(scores: NDArray[np.float32]) -> tuple[ClassScore, ...]:
    """Return one image's class scores to keep: the strongest, in descending order and stored steps.

    Keywords depend on these alone, so that they are the same from the table as from the model.

    Args:
        scores: float32 [classes], each in [0, 1], summing to 1.
    """
    kept = np.flatnonzero(scores > KEPT_SCORE - 1 / SCORE_STEPS)  # a few: to sort all classes takes ten times as long
    order = kept[np.argsort(-scores[kept], kind="stable")][:KEPT_CLASSES]
    steps = np.rint(scores[order].astype(np.float64) * SCORE_STEPS)
    return tuple(
        ClassScore(int(index), float(step) / SCORE_STEPS)
        for index, step in zip(order, steps, strict=True)
        if step >= KEPT_SCORE * SCORE_STEPS
    )


def keywords_of(
    class_scores: Sequence[ClassScore], taxonomy: Taxonomy, limit: int = MOST_KEYWORDS
) -> tuple[KeywordTag, ...]:
    """Return the keywords with sufficient class scores, the most specific first, at most `limit`.

    A class counts once for each keyword above it, however many paths lead there. A keyword is given from its threshold
    on, and implies everything above it: a rocking chair is furniture. If nothing is sure, the result is empty: the most
    probable department put a wrong word on 21 in 100 more photos of goods, and on 22 of groceries, and named the thing
    on none.
    """
    sums, strongest_below = _sums(class_scores, taxonomy)
    sure = {
        position
        for position, total in sums.items()
        if _is_sure(total, strongest_below[position], taxonomy.thresholds[position])
    }
    emitted = sure.union(*(taxonomy.above_keyword[position] for position in sure))
    return tuple(
        KeywordTag(taxonomy.keyword_ids[position], _score(sums[position])) for position in sorted(emitted)[:limit]
    )


def candidates(class_scores: Sequence[ClassScore], taxonomy: Taxonomy) -> tuple[KeywordTag, ...]:
    """Return every keyword that the class scores lead to, however unsure, the most specific first."""
    sums, _ = _sums(class_scores, taxonomy)
    return tuple(KeywordTag(taxonomy.keyword_ids[position], _score(sums[position])) for position in sorted(sums))


def _sums(class_scores: Sequence[ClassScore], taxonomy: Taxonomy) -> tuple[dict[int, float], dict[int, float]]:
    """Return, by keyword position, the sum of the classes below it and the strongest of them."""
    sums: dict[int, float] = defaultdict(float)
    strongest_below: dict[int, float] = defaultdict(float)
    for scored in class_scores:
        for position in taxonomy.above_class[scored.class_index]:
            sums[position] += scored.score
            strongest_below[position] = max(strongest_below[position], scored.score)
    return sums, strongest_below


def _is_sure(total: float, strongest_class: float, own_threshold: float | None) -> bool:
    if own_threshold is not None:
        return total >= own_threshold
    share = strongest_class / total if total else 1.0
    return total >= max(GROUP_THRESHOLD, CLASS_THRESHOLD * share)


def _score(total: float) -> float:
    return min(1.0, round(total, 4))
