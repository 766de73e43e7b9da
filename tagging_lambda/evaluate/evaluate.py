"""The verb evaluate: tags labelled photos as any others, and judges their keywords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.coverage import Coverage
from tagging_lambda.evaluate.measure import (
    CurvePoint,
    Judged,
    KeywordMeasures,
    Measures,
    ScoreBin,
    by_keyword,
    by_score,
    curve,
    measured,
)
from tagging_lambda.local_files import FileTagger, RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagging_lambda.evaluate.labels import LabelledFile
    from tagging_lambda.words.class_keywords import Taxonomy


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
