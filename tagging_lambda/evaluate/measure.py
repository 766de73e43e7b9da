"""The verb evaluate: tags labelled photos as any others, and measures how often their keywords are right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.coverage import Coverage
from tagging_lambda.tag_files import FileTagger, RejectedFile
from tagging_lambda.words.class_keywords import MOST_KEYWORDS, Taxonomy, candidates
from tagging_lambda.words.share import Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.keywords import KeywordTag
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.evaluate.labels import LabelledFile

BINS = 10  # of scores
CURVE = tuple(step / 20 for step in range(1, 20))  # thresholds: 0.05 to 0.95


@dataclass(frozen=True, slots=True)
class Judged:
    """A photo, its keywords, and what they follow from: class scores and its vector, if any."""

    file: LabelledFile
    tags: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]
    vector: FeatureVector | None = None

    @property
    def is_hit(self) -> bool:
        """Whether the photo got an expected keyword, one that names the thing."""
        return any(tag.keyword_id in self.file.expected for tag in self.tags)

    @property
    def wrong(self) -> tuple[KeywordTag, ...]:
        """The keywords that are mistakes."""
        return tuple(tag for tag in self.judged if tag.keyword_id not in self.file.right)

    @property
    def judged(self) -> tuple[KeywordTag, ...]:
        """The keywords that the label decides."""
        return tuple(tag for tag in self.tags if tag.keyword_id not in self.file.unjudged)

    @property
    def is_only_broader(self) -> bool:
        """Whether all its keywords are right but only departments."""
        return bool(self.tags) and all(tag.keyword_id in self.file.broader for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Measures:
    """The quality of keywords on labelled photos.

    Attributes:
        coverage: photos with at least one keyword.
        hits: photos with at least one expected keyword, which names the thing, of those that expect any.
        wrong: photos with at least one wrong keyword.
        only_broader: photos whose keywords are all right but only departments, of those that expect any.
        precision: right keywords, of all judged ones.
        narrow_precision: the same without right keywords that are only departments.
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
    """The quality of one keyword: right of the photos that got it; found of the photos that expect it."""

    keyword_id: str
    precision: Share
    recall: Share


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The quality of keywords if each were given from this score on."""

    threshold: float
    measures: Measures


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """How often keywords with a score in [low, high) are right, and their mean score."""

    low: float
    high: float
    promised: float
    right: Share


def measured(photos: Sequence[Judged]) -> Measures:
    """Return the overall quality of the keywords."""
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
    """Return the quality of each keyword given or expected, those given most often first."""
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
    """Return how often keywords are right, by score: for calibrated scores the two are equal."""
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
    """Return the quality of keywords if all had the same threshold, for several thresholds."""
    possible = [(photo, candidates(photo.class_scores, taxonomy)) for photo in photos]
    return tuple(
        CurvePoint(threshold, measured([replace(photo, tags=_from(threshold, tags)) for photo, tags in possible]))
        for threshold in CURVE
    )


def _from(threshold: float, tags: Iterable[KeywordTag]) -> tuple[KeywordTag, ...]:
    return tuple(tag for tag in tags if tag.score >= threshold)[:MOST_KEYWORDS]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All measurements on labelled photos."""

    measures: Measures
    by_keyword: tuple[KeywordMeasures, ...]
    by_score: tuple[ScoreBin, ...]
    curve: tuple[CurvePoint, ...]
    coverage: Coverage


def judged(files: Sequence[LabelledFile], tagger: FileTagger) -> Iterator[Judged]:
    """Yield each photo with its keywords, in order; a rejected one has none."""
    for file, result in zip(files, tagger.tag(file.path for file in files), strict=True):
        if isinstance(result, RejectedFile):
            yield Judged(file, (), ())
        else:
            yield Judged(file, result.keywords, result.class_scores, result.vector)


def evaluated(photos: Sequence[Judged], taxonomy: Taxonomy) -> Evaluation:
    """Return the measurements on these photos."""
    coverage = Coverage()
    for photo in photos:
        coverage.add(str(photo.file.path), has_keyword=bool(photo.tags))
    return Evaluation(measured(photos), by_keyword(photos), by_score(photos), curve(photos, taxonomy), coverage)


def worst(photos: Sequence[Judged]) -> list[Judged]:
    """Return the photos with a mistake, the surest mistake first."""
    mistaken = [photo for photo in photos if photo.wrong]
    return sorted(mistaken, key=lambda photo: -max(tag.score for tag in photo.wrong))


def missed(photos: Sequence[Judged]) -> list[Judged]:
    """Return the photos without a mistake that got nothing expected, the fewest keywords first."""
    return sorted(
        (photo for photo in photos if photo.file.expected and not photo.is_hit and not photo.wrong),
        key=lambda photo: len(photo.tags),
    )
