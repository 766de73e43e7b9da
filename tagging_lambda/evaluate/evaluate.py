"""The verb evaluate: labelled photos go through the model as any others do, and what is said of them is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.coverage import Coverage
from tagging_lambda.evaluate.measure import Judged, by_keyword, by_score, curve, measured
from tagging_lambda.local_files import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagging_lambda.evaluate.labels import LabelledFile
    from tagging_lambda.evaluate.measure import CurvePoint, KeywordMeasures, Measures, ScoreBin
    from tagging_lambda.local_files import FileTagger
    from tagging_lambda.words.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that is measured on labelled photos."""

    measures: Measures
    by_keyword: tuple[KeywordMeasures, ...]
    by_score: tuple[ScoreBin, ...]
    curve: tuple[CurvePoint, ...]
    coverage: Coverage


def judged(files: Sequence[LabelledFile], tagger: FileTagger) -> Iterator[Judged]:
    """Yield each photo with what is said of it, in the order given; of a rejected one nothing is."""
    for file, result in zip(files, tagger.tag(file.path for file in files), strict=True):
        if isinstance(result, RejectedFile):
            yield Judged(file, (), ())
        else:
            yield Judged(file, result.keywords, result.class_scores)


def evaluated(photos: Sequence[Judged], taxonomy: Taxonomy) -> Evaluation:
    """Return what is measured on these photos."""
    coverage = Coverage()
    for each in photos:
        coverage.add(str(each.file.path), has_keyword=bool(each.tags))
    return Evaluation(measured(photos), by_keyword(photos), by_score(photos), curve(photos, taxonomy), coverage)


def worst(photos: Sequence[Judged]) -> list[Judged]:
    """Return the photos with a mistake, those first whose mistake is surest."""
    mistaken = [each for each in photos if each.wrong]
    return sorted(mistaken, key=lambda each: -max(tag.score for tag in each.wrong))


def missed(photos: Sequence[Judged]) -> list[Judged]:
    """Return the photos without a mistake of which nothing expected is said, those first with the fewest keywords."""
    return sorted(
        (each for each in photos if each.file.expected and not each.is_hit and not each.wrong),
        key=lambda each: len(each.tags),
    )
