"""Finds, from labelled photos, from which score on a keyword is right often enough, and how sure scores should be."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.keywords import Use
from pipeline.records import ClassScore
from tagging_lambda.evaluate.measure import measured
from tagging_lambda.words.share import Share
from tagging_lambda.words.taxonomy import Taxonomy, candidates, keywords_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.keywords import Vocabulary
    from tagging_lambda.evaluate.measure import Judged, Measures

EVIDENCE = 10  # photos, chosen by us: with fewer a share of 0.95 cannot be told from 0.8
CLAIM = 0.3  # the score from which a photo is evidence, chosen by us: below it nothing is said of it in any case
FOLDS = 5  # parts of the photos: thresholds found on four are measured on the fifth
NEVER = 1.0  # the threshold of a keyword that is not right often enough at any score
ROUNDED = 1000  # thresholds are multiples of 1/1000: finer says nothing
TEMPERATURES = tuple(at / 20 for at in range(10, 41))  # 0.5 to 2
_EDGE = 1e-4  # no probability is taken for certain when its error is weighed


@dataclass(frozen=True, slots=True)
class FoundThreshold:
    """From which score on a keyword is right often enough, and on how many labelled photos that rests."""

    keyword_id: str
    threshold: float
    right: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """What labelled photos teach.

    Attributes:
        wanted: the precision that was asked for.
        thresholds: those found.
        held_out: how good keywords are with such thresholds on photos that they were not found on.
        temperature: the best one for class scores as they are.
    """

    wanted: float
    thresholds: tuple[FoundThreshold, ...]
    held_out: Measures
    temperature: Temperature

    def by_id(self) -> dict[str, float]:
        """Return the thresholds by keyword."""
        return {each.keyword_id: each.threshold for each in self.thresholds}


def calibrated(
    judged: Sequence[Judged], taxonomy: Taxonomy, class_ids: Sequence[str], precision: float, *, cool: bool = False
) -> Calibration:
    """Return what the photos teach; ``cool`` finds the thresholds for class scores at the best temperature."""
    heat = temperature(judged, taxonomy, len(class_ids))
    if cool:
        judged = [replace(each, class_scores=cooled(each.class_scores, len(class_ids), heat.value)) for each in judged]
    return Calibration(
        wanted=precision,
        thresholds=thresholds(judged, taxonomy, precision),
        held_out=held_out(judged, taxonomy, class_ids, precision),
        temperature=heat,
    )


def thresholds(judged: Iterable[Judged], taxonomy: Taxonomy, precision: float) -> tuple[FoundThreshold, ...]:
    """Return the lowest threshold of each keyword from which it is right in at least this share of the photos.

    A keyword that has a score of ``CLAIM`` in fewer than ``EVIDENCE`` photos is left out. One that is never right often
    enough gets 1.
    """
    seen: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for each in judged:
        for tag in candidates(each.class_scores, taxonomy):
            if tag.score >= CLAIM and taxonomy.vocabulary.nodes[tag.keyword_id].use is Use.KEYWORD:
                seen[tag.keyword_id].append((tag.score, tag.keyword_id in each.file.right))
    found = ((keyword_id, _lowest(sorted(scores, reverse=True), precision)) for keyword_id, scores in seen.items())
    return tuple(FoundThreshold(keyword_id, *lowest) for keyword_id, lowest in sorted(found) if lowest)


def _lowest(scores: Sequence[tuple[float, bool]], precision: float) -> tuple[float, Share] | None:
    """Return the lowest score from which enough are right, of scores from the highest down."""
    if len(scores) < EVIDENCE:
        return None
    best, right = (NEVER, Share(0, 0)), 0
    for count, (score, is_right) in enumerate(scores, 1):
        right += is_right
        is_last_of_its_score = count == len(scores) or scores[count][0] < score
        if is_last_of_its_score and count >= EVIDENCE and right / count >= precision:
            best = (math.floor(score * ROUNDED) / ROUNDED, Share(right, count))
    return best


def with_thresholds(vocabulary: Vocabulary, found: Iterable[FoundThreshold]) -> Vocabulary:
    """Return the vocabulary with these thresholds."""
    nodes = dict(vocabulary.nodes)
    for each in found:
        nodes[each.keyword_id] = replace(nodes[each.keyword_id], threshold=each.threshold)
    return replace(vocabulary, nodes=nodes)


def held_out(judged: Sequence[Judged], taxonomy: Taxonomy, class_ids: Sequence[str], precision: float) -> Measures:
    """Return how good such thresholds are on photos they were not found on: each fifth by the other four."""
    folds = _folds(judged)
    renamed: list[Judged] = []
    for at, fold in enumerate(folds):
        others = [each for other, part in enumerate(folds) if other != at for each in part]
        found = thresholds(others, taxonomy, precision)
        renamed += said_again(fold, Taxonomy.of(with_thresholds(taxonomy.vocabulary, found), class_ids))
    return measured(renamed)


def said_again(judged: Iterable[Judged], taxonomy: Taxonomy) -> list[Judged]:
    """Return the photos with the keywords that this taxonomy makes of their class scores."""
    return [replace(each, tags=keywords_of(each.class_scores, taxonomy)) for each in judged]


def _folds(judged: Iterable[Judged]) -> list[list[Judged]]:
    """Return the photos in parts, each by its name: the same photo is always in the same part."""
    folds: list[list[Judged]] = [[] for _ in range(FOLDS)]
    for each in judged:
        folds[hashlib.sha256(str(each.file.path.name).encode()).digest()[0] % FOLDS].append(each)
    return folds


@dataclass(frozen=True, slots=True)
class Temperature:
    """What class scores would have to be cooled by to be as sure as they are right: 1 is just right, above is too sure.

    The errors are the log loss per keyword as it is and after that.
    """

    value: float
    error_now: float
    error_then: float


def temperature(judged: Sequence[Judged], taxonomy: Taxonomy, classes: int) -> Temperature:
    """Return the temperature with the least error over all keywords that the photos' class scores lead to."""
    errors = {each: _error(judged, taxonomy, classes, each) for each in TEMPERATURES}
    best = min(errors, key=errors.__getitem__)
    return Temperature(best, errors[1.0], errors[best])


def _error(judged: Iterable[Judged], taxonomy: Taxonomy, classes: int, value: float) -> float:
    total, count = 0.0, 0
    for each in judged:
        for tag in candidates(cooled(each.class_scores, classes, value), taxonomy):
            score = min(max(tag.score, _EDGE), 1 - _EDGE)
            total -= math.log(score if tag.keyword_id in each.file.right else 1 - score)
            count += 1
    return total / count if count else 0.0


def cooled(scores: Sequence[ClassScore], classes: int, value: float) -> tuple[ClassScore, ...]:
    """Return the class scores at that temperature; the classes that were not kept share what is left evenly."""
    power, others = 1 / value, classes - len(scores)
    rest = max(0.0, 1 - sum(each.score for each in scores))
    powers = [each.score**power for each in scores]
    whole = sum(powers) + (others * (rest / others) ** power if others else 0.0)
    return tuple(ClassScore(each.class_index, own / whole) for each, own in zip(scores, powers, strict=True))
