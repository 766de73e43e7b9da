"""make quality: how right keywords are on labelled product photos, against other ways, as tables and plots."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from pipeline.errors import BadModel
from pipeline.keywords import Use, Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.settings import home, model_dir
from tagging_lambda.classify import Classifier
from tagging_lambda.evaluate.calibrate import calibrated, remap, with_thresholds
from tagging_lambda.evaluate.measure import Judged, by_score, curve, measured
from tagging_lambda.words.class_keywords import Taxonomy, candidates, keywords_of, strongest
from tagging_lambda.words.keyword_mapper import KeywordMapper
from tests.quality.fits import FITS
from tests.quality.scores import ScoreCache
from tests.quality.sets import LabelledSet, clothing, sets
from tests.quality.ways import ways

DOCS = Path(__file__).resolve().parents[2] / "docs"
STUDIED = ("crop", "crop 224", "squash", "pad", "crop + pad", "2 crops", "3 crops")
WANTED = 0.95  # the precision that the calibration aims at
SWEEP = tuple(at / 100 for at in range(10, 100, 2))  # thresholds


class Bench:
    """The model, its taxonomy, and the scores of all photos."""

    def __init__(self) -> None:
        """Load the model that is built."""
        self.classifier = Classifier.load(model_dir() / CARD_NAME)
        self.class_ids = [each.id for each in self.classifier.card.classes]
        self.vocabulary = Vocabulary.load()
        self.taxonomy = Taxonomy.of(self.vocabulary, self.class_ids)
        self.cache = ScoreCache(home() / "quality-cache", self.classifier)

    def judged(self, labelled: LabelledSet, way=None, fit: str = "crop") -> list[Judged]:
        """Return what is said of each photo in this way, ours if none is given."""
        found = []
        with Progress(f"{labelled.name}, {fit}", total=len(labelled.files), unit="photos") as progress:
            for file in progress.over(labelled.files):
                scores = self.cache.scores(file.path, fit)
                kept = strongest(scores)
                found.append(Judged(file, way(scores) if way else keywords_of(kept, self.taxonomy), kept))
        return found


def ways_table(bench: Bench, labelled: LabelledSet):
    """Print the ways side by side, and return the measures of each."""
    found = {}
    click.echo(f"\n{labelled.name}: {len(labelled.files):,} photos\n{_head('way')}")
    for name, way in ways(bench.taxonomy, bench.class_ids).items():
        found[name] = measured(bench.judged(labelled, way))
        click.echo(_row(name, found[name]))
    return found


def fits_table(bench: Bench, labelled: LabelledSet) -> None:
    """Print the ways to fit photos side by side: as they are, and at one threshold that is right in nine of ten."""
    click.echo(f"\n{labelled.name}: how photos are fitted\n{_head('fit')}   at precision 0.9: coverage, hits")
    for fit in STUDIED:
        photos = bench.judged(labelled, fit=fit)
        even = _best_even(bench, photos, 0.9)
        alike = "-" if even is None else f"{even.coverage.value:>25.1%}{even.hits.value:>9.1%}"
        click.echo(f"{_row(fit, measured(photos))}   {alike}")


def _best_even(bench: Bench, photos: list[Judged], precision: float):
    every = [(each, candidates(each.class_scores, bench.taxonomy)) for each in photos]
    found = [
        measured([replace(each, tags=tuple(t for t in tags if t.score >= threshold)) for each, tags in every])
        for threshold in SWEEP
    ]
    enough = [each for each in found if each.precision.value >= precision]
    return max(enough, key=lambda each: each.hits.value, default=None)


def times_table(bench: Bench, labelled: LabelledSet) -> None:
    """Print what each fit costs on one core: reading, fitting and the model."""
    click.echo("\nms a photo, one core")
    files = [file.path.read_bytes() for file in labelled.files[:30]]
    for fit in STUDIED:
        spent_s = []
        for data in files:
            began_s = time.perf_counter()
            bench.classifier.classify(np.stack(FITS[fit](data, bench.classifier.card.input)))
            spent_s.append(time.perf_counter() - began_s)
        click.echo(f"  {fit:<28}{1000 * float(np.median(spent_s)):>8.1f}")


def calibration_table(bench: Bench, trained: LabelledSet, tested: list[LabelledSet]) -> None:
    """Print what thresholds that are found on other photos make of these."""
    found = calibrated(bench.judged(trained), KeywordMapper(bench.taxonomy), bench.class_ids, WANTED)
    newer = KeywordMapper.of(with_thresholds(bench.vocabulary, found.thresholds), bench.class_ids)
    heat = found.temperature
    click.echo(f"\n{len(found.thresholds)} thresholds for {WANTED:.0%}, found on {len(trained.files):,} other photos")
    click.echo(_head("photos"))
    for labelled in tested:
        click.echo(_row(labelled.name, measured(remap(bench.judged(labelled), newer))))
    click.echo(f"  temperature {heat.value:g}: log loss {heat.error_now:.4f} now, {heat.error_then:.4f} then")


def reliability(bench: Bench, labelled: LabelledSet):
    """Return how often any keyword is right, said or not, by the score that it has."""
    shown = {each.id for each in bench.vocabulary.emitted if each.use is Use.KEYWORD}
    photos = bench.judged(labelled)
    return by_score(
        replace(each, tags=tuple(t for t in candidates(each.class_scores, bench.taxonomy) if t.keyword_id in shown))
        for each in photos
    )


def _head(first: str) -> str:
    return f"  {first:<28}{'coverage':>9}{'hits':>9}{'precision':>11}{'keywords':>10}"


def _row(name: str, found) -> str:
    shares = f"{found.coverage.value:>9.1%}{found.hits.value:>9.1%}{found.precision.value:>11.1%}"
    return f"  {name:<28}{shares}{found.precision.of / max(found.photos, 1):>10.1f}"


def main() -> None:
    """Measure all sets that are on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", action="store_true", help="also compare ways to fit photos that are not square")
    asked = parser.parse_args()
    try:
        bench = Bench()
    except BadModel as error:
        sys.exit(str(error))
    here = sets(bench.vocabulary)
    if not here:
        click.echo("no labelled photos are here; `catalog-tagger model build` brings the sample catalogue")
        return
    panels = []
    for labelled in here:
        found = ways_table(bench, labelled)
        panels.append((labelled.name, [p.measures for p in curve(bench.judged(labelled), bench.taxonomy)], found))
    trained = None
    if any(labelled.name == "clothing" for labelled in here):
        trained = LabelledSet("clothing, not the ones above", clothing("train", bench.vocabulary))
        calibration_table(bench, trained, here)
    _draw(bench, panels, trained or here[0])
    if asked.fits:
        for labelled in here:
            fits_table(bench, labelled)
        times_table(bench, here[0])


def _draw(bench: Bench, panels, told: LabelledSet) -> None:
    from tests.quality.plots import draw_curves, draw_reliability  # noqa: PLC0415 - matplotlib is slow to load

    draw_curves(DOCS / "quality.svg", panels)
    draw_reliability(DOCS / "reliability.svg", reliability(bench, told), f"{len(told.files):,} photos: {told.name}")
    click.echo(f"\nplots: {DOCS / 'quality.svg'}, {DOCS / 'reliability.svg'}")


if __name__ == "__main__":
    main()
