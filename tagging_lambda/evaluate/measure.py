"""How often keywords are right: shares with their bounds, overall, by keyword, by score and by threshold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tagging_lambda.words.share import Share
from tagging_lambda.words.taxonomy import MOST_KEYWORDS, candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.keywords import KeywordTag
    from pipeline.records import ClassScore
    from tagging_lambda.evaluate.labels import LabelledFile
    from tagging_lambda.words.taxonomy import Taxonomy

BINS = 10  # of scores
CURVE = tuple(at / 20 for at in range(1, 20))  # thresholds: 0.05 to 0.95


@dataclass(frozen=True, slots=True)
class Judged:
    """A photo, what was said of it, and the class scores it was said from."""

    file: LabelledFile
    tags: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]

    @property
    def is_hit(self) -> bool:
        """Whether an expected keyword was said."""
        return any(tag.keyword_id in self.file.expected for tag in self.tags)

    @property
    def wrong(self) -> tuple[KeywordTag, ...]:
        """The keywords that are mistakes."""
        return tuple(tag for tag in self.tags if tag.keyword_id not in self.file.right)


@dataclass(frozen=True, slots=True)
class Measures:
    """How good keywords are on labelled photos.

    Attributes:
        coverage: photos with at least one keyword.
        hits: photos with at least one of the expected keywords, of those that expect any.
        precision: keywords that are no mistake, of all that were said.
    """

    photos: int
    coverage: Share
    hits: Share
    precision: Share


@dataclass(frozen=True, slots=True)
class KeywordMeasures:
    """How good one keyword is: right of all times it was said; found of all photos that expect it."""

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


def measured(judged: Sequence[Judged]) -> Measures:
    """Return how good the keywords are overall."""
    expecting = [each for each in judged if each.file.expected]
    said = sum(len(each.tags) for each in judged)
    return Measures(
        photos=len(judged),
        coverage=Share(sum(bool(each.tags) for each in judged), len(judged)),
        hits=Share(sum(each.is_hit for each in expecting), len(expecting)),
        precision=Share(said - sum(len(each.wrong) for each in judged), said),
    )


def by_keyword(judged: Iterable[Judged]) -> tuple[KeywordMeasures, ...]:
    """Return how good each keyword is that was said or expected, those said most often first."""
    said, right, expected, found = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for each in judged:
        ids = {tag.keyword_id for tag in each.tags}
        said.update(ids)
        right.update(ids & each.file.right)
        expected.update(each.file.expected)
        found.update(ids & each.file.expected)
    order = sorted(said.keys() | expected.keys(), key=lambda each: (-said[each], -expected[each], each))
    return tuple(KeywordMeasures(i, Share(right[i], said[i]), Share(found[i], expected[i])) for i in order)


def by_score(judged: Iterable[Judged]) -> tuple[ScoreBin, ...]:
    """Return how often keywords are right by what their score promises: of a calibrated score the two are the same."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for each in judged:
        for tag in each.tags:
            bins[min(BINS - 1, int(tag.score * BINS))].append((tag.score, tag.keyword_id in each.file.right))
    return tuple(
        ScoreBin(
            low=at / BINS,
            high=(at + 1) / BINS,
            promised=sum(score for score, _ in inside) / len(inside),
            right=Share(sum(right for _, right in inside), len(inside)),
        )
        for at, inside in enumerate(bins)
        if inside
    )


def curve(judged: Sequence[Judged], taxonomy: Taxonomy) -> tuple[CurvePoint, ...]:
    """Return how good keywords would be if all had one threshold, for each of several."""
    every = [(each, candidates(each.class_scores, taxonomy)) for each in judged]
    return tuple(
        CurvePoint(threshold, measured([replace(each, tags=_from(threshold, tags)) for each, tags in every]))
        for threshold in CURVE
    )


def _from(threshold: float, tags: Iterable[KeywordTag]) -> tuple[KeywordTag, ...]:
    return tuple(tag for tag in tags if tag.score >= threshold)[:MOST_KEYWORDS]
