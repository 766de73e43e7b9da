"""Finds, from labelled photos, each keyword's threshold for a precision, and the temperature of scores."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.keywords import Use, Vocabulary
from pipeline.records import ClassScore
from tagging_lambda.evaluate.measure import Judged, Measures, measured
from tagging_lambda.words.class_keywords import Taxonomy, candidates
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.share import Share

EVIDENCE = 20  # photos, chosen by us: with fewer, a share of 0.95 cannot be told from 0.8
CLAIM = 0.3  # the score from which a photo is evidence, chosen by us: below it no keyword is given anyway
FOLDS = 5  # thresholds found on four parts are measured on the fifth
NEVER = 1.0  # the threshold of a keyword that no score makes right often enough
ROUNDED = 1000  # thresholds are multiples of 1/1000: finer says nothing
TEMPERATURES = tuple(step / 20 for step in range(10, 41))  # 0.5 to 2
_EDGE = 1e-4  # probabilities are clipped by this before the log loss


@dataclass(frozen=True, slots=True)
class FoundThreshold:
    """The score from which a keyword is right often enough, and the labelled photos behind it."""

    keyword_id: str
    threshold: float
    right: Share


@dataclass(frozen=True, slots=True)
class Temperature:
    """The temperature that calibrates class scores: 1 means calibrated, above 1 overconfident.

    The errors are the log loss per keyword before and after.
    """

    value: float
    error_now: float
    error_then: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration.

    Attributes:
        wanted: the target precision.
        thresholds: those that help by cross-validation; none if they do not help together.
        rejected: how many others were found that do not help.
        now: the quality of the present keywords.
        held_out: their quality with such thresholds, each photo judged by thresholds found on others.
        temperature: the best one for the present class scores.
    """

    wanted: float
    thresholds: tuple[FoundThreshold, ...]
    rejected: int
    now: Measures
    held_out: Measures
    temperature: Temperature

    @property
    def helps(self) -> bool:
        """Whether the thresholds are worth writing."""
        return bool(self.thresholds)

    def by_id(self) -> dict[str, float]:
        """Return the thresholds by keyword."""
        return {threshold.keyword_id: threshold.threshold for threshold in self.thresholds}


# A threshold is kept only if it helps on held-out photos (DECISIONS.md, 38).
def calibrated(
    photos: Sequence[Judged], mapper: KeywordMapper, class_ids: Sequence[str], precision: float, *, cool: bool = False
) -> Calibration:
    """Return the calibration by the photos, with only those thresholds that help.

    A threshold is kept if it rests on enough photos and helps its keyword on held-out photos. All are dropped if they
    do not help together: if keywords are wrong too often, precision must rise; if they are right often enough already,
    more photos must get their word, no more a wrong one, and precision must hold.

    Args:
        photos: labelled, with their present keywords.
        mapper: makes the keywords, from the taxonomy and the heads that may overrule it.
        class_ids: of the model's classes, in order.
        precision: the target.
        cool: whether to find thresholds for class scores at the best temperature.
    """
    now = measured(remap(photos, mapper))
    heat = temperature(photos, mapper.taxonomy, len(class_ids))
    if cool:
        photos = [
            replace(photo, class_scores=cooled(photo.class_scores, len(class_ids), heat.value)) for photo in photos
        ]
    search = _ThresholdSearch(mapper, class_ids, precision)
    candidates_found, helpful = search.candidates(photos), search.helpful(photos)
    # The whole choice is repeated without each fold: no photo judges a threshold that it helped to choose.
    held_out = measured(search.across_folds(photos, search.helpful))
    kept = helpful if _is_better(now, held_out, precision) else ()
    return Calibration(precision, kept, len(candidates_found) - len(kept), now, held_out, heat)


def _is_better(now: Measures, then: Measures, precision: float) -> bool:
    if now.precision.value < precision:
        return then.precision.value > now.precision.value and then.wrong.count <= now.wrong.count
    is_no_worse = then.precision.value >= precision and then.wrong.count <= now.wrong.count
    return is_no_worse and then.hits.count > now.hits.count


@dataclass(frozen=True, slots=True)
class _ThresholdSearch:
    """Finds thresholds on labelled photos, for a mapper and a precision."""

    mapper: KeywordMapper
    class_ids: Sequence[str]
    precision: float

    def candidates(self, photos: Iterable[Judged]) -> tuple[FoundThreshold, ...]:
        """Return the thresholds found on these photos."""
        return thresholds(photos, self.mapper.taxonomy, self.precision)

    def helpful(self, photos: Sequence[Judged]) -> tuple[FoundThreshold, ...]:
        """Return the candidates that improve their keyword on held-out photos.

        A wrong keyword costs as many right ones as the precision demands per wrong one: at 0.95, nineteen.
        """
        cost = self.precision / max(1 - self.precision, 1 / ROUNDED)
        worth: dict[str, float] = defaultdict(float)
        for sign, remapped in (
            (-1, remap(photos, self.mapper)),
            (1, self.across_folds(photos, self.candidates)),
        ):
            for photo in remapped:
                for tag in photo.judged:
                    worth[tag.keyword_id] += sign * (1 if tag.keyword_id in photo.file.right else -cost)
        return tuple(threshold for threshold in self.candidates(photos) if worth[threshold.keyword_id] > 0)

    def across_folds(
        self, photos: Sequence[Judged], choose: Callable[[Sequence[Judged]], tuple[FoundThreshold, ...]]
    ) -> list[Judged]:
        """Return the photos with their keywords by thresholds chosen on the other folds."""
        folds = _folds(photos)
        remapped: list[Judged] = []
        for number, fold in enumerate(folds):
            others = [photo for other, part in enumerate(folds) if other != number for photo in part]
            vocabulary = with_thresholds(self.mapper.vocabulary, choose(others))
            remapped += remap(fold, KeywordMapper.of(vocabulary, self.class_ids, self.mapper.heads))
        return remapped


def thresholds(photos: Iterable[Judged], taxonomy: Taxonomy, precision: float) -> tuple[FoundThreshold, ...]:
    """Return each keyword's lowest threshold at which it is right in at least this share of the photos.

    A keyword that reaches ``CLAIM`` in fewer than ``EVIDENCE`` photos is left out; photos whose label does not decide
    it do not count. A keyword that is never right often enough gets 1.
    """
    scored: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for photo in photos:
        for tag in candidates(photo.class_scores, taxonomy):
            is_keyword = taxonomy.vocabulary.nodes[tag.keyword_id].use is Use.KEYWORD
            if is_keyword and tag.score >= CLAIM and tag.keyword_id not in photo.file.unjudged:
                scored[tag.keyword_id].append((tag.score, tag.keyword_id in photo.file.right))
    lowest_scores = (
        (keyword_id, _lowest(sorted(scores, reverse=True), precision)) for keyword_id, scores in scored.items()
    )
    return tuple(FoundThreshold(keyword_id, *lowest) for keyword_id, lowest in sorted(lowest_scores) if lowest)


def _lowest(scores: Sequence[tuple[float, bool]], precision: float) -> tuple[float, Share] | None:
    """Return the lowest score from which enough are right, of descending scores."""
    if len(scores) < EVIDENCE:
        return None
    best, right = (NEVER, Share(0, 0)), 0
    for count, (score, is_right) in enumerate(scores, 1):
        right += is_right
        is_last_of_its_score = count == len(scores) or scores[count][0] < score
        if is_last_of_its_score and count >= EVIDENCE and right / count >= precision:
            best = (math.floor(score * ROUNDED) / ROUNDED, Share(right, count))
    return best


def with_thresholds(vocabulary: Vocabulary, thresholds: Iterable[FoundThreshold]) -> Vocabulary:
    """Return the vocabulary with these thresholds."""
    nodes = dict(vocabulary.nodes)
    for threshold in thresholds:
        nodes[threshold.keyword_id] = replace(nodes[threshold.keyword_id], threshold=threshold.threshold)
    return replace(vocabulary, nodes=nodes)


def remap(photos: Iterable[Judged], mapper: KeywordMapper) -> list[Judged]:
    """Return the photos with this mapper's keywords."""
    return [replace(photo, tags=mapper.keywords(photo.class_scores, photo.vector)) for photo in photos]


def _folds(photos: Iterable[Judged]) -> list[list[Judged]]:
    """Return the photos in folds by group, as photos of one product resemble each other."""
    folds: list[list[Judged]] = [[] for _ in range(FOLDS)]
    for photo in photos:
        folds[hashlib.sha256(photo.file.group.encode()).digest()[0] % FOLDS].append(photo)
    return [fold for fold in folds if fold]


def temperature(photos: Sequence[Judged], taxonomy: Taxonomy, classes: int) -> Temperature:
    """Return the temperature with the least error over all keywords that the class scores lead to."""
    errors = {value: _error(photos, taxonomy, classes, value) for value in TEMPERATURES}
    best = min(errors, key=errors.__getitem__)
    return Temperature(best, errors[1.0], errors[best])


def _error(photos: Iterable[Judged], taxonomy: Taxonomy, classes: int, value: float) -> float:
    total, count = 0.0, 0
    for photo in photos:
        for tag in candidates(cooled(photo.class_scores, classes, value), taxonomy):
            if tag.keyword_id not in photo.file.unjudged:
                score = min(max(tag.score, _EDGE), 1 - _EDGE)
                total -= math.log(score if tag.keyword_id in photo.file.right else 1 - score)
                count += 1
    return total / count if count else 0.0


def cooled(scores: Sequence[ClassScore], classes: int, value: float) -> tuple[ClassScore, ...]:
    """Return the class scores at that temperature; classes not kept share the rest evenly."""
    power, others = 1 / value, classes - len(scores)
    rest = max(0.0, 1 - sum(scored.score for scored in scores))
    powers = [scored.score**power for scored in scores]
    whole = sum(powers) + (others * (rest / others) ** power if others else 0.0)
    return tuple(ClassScore(scored.class_index, own / whole) for scored, own in zip(scores, powers, strict=True))
