"""How often keywords are right: shares with their bounds, overall, by keyword, by score and by threshold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tagging_lambda.words.class_keywords import MOST_KEYWORDS, candidates
from tagging_lambda.words.share import Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.keywords import KeywordTag
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.evaluate.labels import LabelledFile
    from tagging_lambda.words.class_keywords import Taxonomy

BINS = 10  # of scores
CURVE = tuple(step / 20 for step in range(1, 20))  # thresholds: 0.05 to 0.95


@dataclass(frozen=True, slots=True)
class Judged:
    """A photo, the keywords that it got, and what they follow from: class scores and its vector, where it has one."""

    file: LabelledFile
    tags: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]
    vector: FeatureVector | None = None

    @property
    def is_hit(self) -> bool:
        """Whether it got an expected keyword: a word that names the thing."""
        return any(tag.keyword_id in self.file.expected for tag in self.tags)

    @property
    def wrong(self) -> tuple[KeywordTag, ...]:
        """The keywords that are mistakes."""
        return tuple(tag for tag in self.judged if tag.keyword_id not in self.file.right)

    @property
    def judged(self) -> tuple[KeywordTag, ...]:
        """The keywords that the label says anything of."""
        return tuple(tag for tag in self.tags if tag.keyword_id not in self.file.unjudged)

    @property
    def is_only_broader(self) -> bool:
        """Whether all it got is right, and only a department of the thing."""
        return bool(self.tags) and all(tag.keyword_id in self.file.broader for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Measures:
    """How good keywords are on labelled photos.

    Attributes:
        coverage: photos with at least one keyword.
        hits: photos with at least one of the expected keywords, which name the thing, of those that expect any.
        wrong: photos with at least one wrong keyword.
        only_broader: photos whose keywords are all right and name only a department, of those that expect any.
        precision: keywords that are no mistake, of all that can be judged.
        narrow_precision: the same with departments left out, right ones of the thing's own.
    """

    photos: int
    coverage: Share
    hits: Share
    wrong: Share
    only_broader: Share
    precision: Share
    narrow_precision: Share


@dataclass(frozen=True, slots=True)
class KeywordMeasures:
    """How good one keyword is: right of the photos that got it; found of the photos that expect it."""

    keyword_id: str
    precision: Share
    recall: Share


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """How good keywords would be if each were said from this score on."""

    threshold: float
    measures: Measures


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """How often keywords with a score in [low, high) are right, and what their scores promise on average."""

    low: float
    high: float
    promised: float
    right: Share


def measured(photos: Sequence[Judged]) -> Measures:
    """Return how good the keywords are overall."""
    expecting = [photo for photo in photos if photo.file.expected]
    tags = sum(len(photo.judged) for photo in photos)
    wrong_tags = sum(len(photo.wrong) for photo in photos)
    broader_tags = sum(tag.keyword_id in photo.file.broader for photo in photos for tag in photo.tags)
    return Measures(
        photos=len(photos),
        coverage=Share(sum(bool(photo.tags) for photo in photos), len(photos)),
        hits=Share(sum(photo.is_hit for photo in expecting), len(expecting)),
        wrong=Share(sum(bool(photo.wrong) for photo in photos), len(photos)),
        only_broader=Share(sum(photo.is_only_broader for photo in expecting), len(expecting)),
        precision=Share(tags - wrong_tags, tags),
        narrow_precision=Share(tags - broader_tags - wrong_tags, tags - broader_tags),
    )


def by_keyword(photos: Iterable[Judged]) -> tuple[KeywordMeasures, ...]:
    """Return how good each keyword is that was given or expected, those given most often first."""
    given, right, expected, hit = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for photo in photos:
        ids = {tag.keyword_id for tag in photo.judged}
        given.update(ids)
        right.update(ids & photo.file.right)
        expected.update(photo.file.expected)
        hit.update(ids & photo.file.expected)
    order = sorted(given.keys() | expected.keys(), key=lambda word: (-given[word], -expected[word], word))
    return tuple(KeywordMeasures(i, Share(right[i], given[i]), Share(hit[i], expected[i])) for i in order)


def by_score(photos: Iterable[Judged]) -> tuple[ScoreBin, ...]:
    """Return how often keywords are right by what their score promises: of a calibrated score the two are the same."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for photo in photos:
        for tag in photo.judged:
            bins[min(BINS - 1, int(tag.score * BINS))].append((tag.score, tag.keyword_id in photo.file.right))
    return tuple(
        ScoreBin(
            low=step / BINS,
            high=(step + 1) / BINS,
            promised=sum(score for score, _ in inside) / len(inside),
            right=Share(sum(right for _, right in inside), len(inside)),
        )
        for step, inside in enumerate(bins)
        if inside
    )


def curve(photos: Sequence[Judged], taxonomy: Taxonomy) -> tuple[CurvePoint, ...]:
    """Return how good keywords would be if all had one threshold, for each of several."""
    possible = [(photo, candidates(photo.class_scores, taxonomy)) for photo in photos]
    return tuple(
        CurvePoint(threshold, measured([replace(photo, tags=_from(threshold, tags)) for photo, tags in possible]))
        for threshold in CURVE
    )


def _from(threshold: float, tags: Iterable[KeywordTag]) -> tuple[KeywordTag, ...]:
    return tuple(tag for tag in tags if tag.score >= threshold)[:MOST_KEYWORDS]
