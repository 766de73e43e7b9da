"""Commands that measure: evaluate."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pipeline.aws.ratings import ratings_of_stack
from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.ratings import tallies
from pipeline.settings import OVERLAY_NAME, home, model_dir, overlay_path
from pipeline.terminal import columns, cut_lines, warn
from pipeline.whole_file import check_writable
from tagging_lambda.evaluate.calibrate import calibrated
from tagging_lambda.evaluate.labels import labels_in
from tagging_lambda.evaluate.measure import Judged, evaluated, judged, measured
from tagging_lambda.evaluate.overlay import write_thresholds
from tagging_lambda.evaluate.report import (
    EvaluationText,
    calibration_document,
    calibration_text,
    evaluation_document,
    sheet,
    tallies_document,
    tallies_text,
)
from tagging_lambda.image.contact_sheet import write_contact_sheet
from tagging_lambda.tag_files import FileTagger
from tagging_lambda.words.head_store import InstalledHeads
from tagging_lambda.words.heads_option import heads_option


@click.command()
@click.argument("labels", required=False, type=click.Path(path_type=Path), metavar="[LABELS.csv]")
@click.option("--ratings", is_flag=True, help="Sum up what people said on the page instead, by model and keyword.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the photos lie.  [default: beside LABELS.csv]")
@click.option("--sheet", "sheet_path", type=click.Path(path_type=Path), metavar="FILE.html", help="Show the mistakes.")
@click.option("--calibrate", is_flag=True, help="Write each keyword's threshold into the shop's own file.")
@click.option("--precision", type=click.FloatRange(0.5, 1), default=0.95, show_default=True, help="What to aim at.")
@click.option("--temperature", is_flag=True, help="Also write the best temperature into the model's card.")
@click.option("--overlay", type=click.Path(path_type=Path), help="The shop's own file.  [default: the one in use]")
@click.option("--workers", type=click.IntRange(1, 256), help="Photos at once.  [default: one for each core]")
@heads_option
@click.option("--full", is_flag=True, help="Print every row; without it, the report fits a screen.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def evaluate(
    *,
    labels: Path | None,
    ratings: bool,
    folder: Path | None,
    sheet_path: Path | None,
    calibrate: bool,
    precision: float,
    temperature: bool,
    overlay: Path | None,
    workers: int | None,
    heads: tuple[str, ...],
    full: bool,
    as_json: bool,
) -> None:
    """Measure how often keywords are right on photos whose keywords a person knows.

    LABELS.csv has the columns file, expected and, if wanted, acceptable: words in any language, or ids, separated by |.
    A keyword above an expected or acceptable one counts as right; one below it is not judged. A column product or
    contributor keeps photos that belong together on one side when thresholds are judged.

    With --calibrate, each keyword that twenty photos or more lead to is given from the lowest score from which it is
    right as often as --precision asks for. Only what helps on photos that were held out is written; `catalog-tagger
    retag` brings it to the table. With --temperature, class scores become as sure as they are right: that is another
    version of the model, and every photo is tagged again.
    """
    if ratings != (labels is None):
        raise CallerError("name the photos' labels, LABELS.csv, or ask for --ratings; one of the two")
    if labels is None:
        _say_ratings(as_json=as_json)
        return
    if temperature and not calibrate:
        raise CallerError("--temperature belongs to --calibrate")
    check_writable(sheet_path)
    check_writable(overlay)
    vocabulary = Vocabulary.load()
    files = labels_in(labels, labels.parent if folder is None else folder, vocabulary)
    tagger = FileTagger.load(model_dir(), vocabulary, workers, InstalledHeads.of_this_machine().load(heads))
    with Progress("evaluate", total=len(files), unit="photos", quiet=as_json) as progress:
        photos = list(progress.over(judged(files, tagger)))
    evaluation = evaluated(photos, tagger.taxonomy)
    document = evaluation_document(evaluation, photos, vocabulary)
    text = str(EvaluationText(evaluation, photos, vocabulary, full=full, brief=calibrate))
    if calibrate:
        plan = _CalibrationPlan(precision, overlay, cool=temperature, full=full)
        calibration, calibration_lines = _calibrate(photos, tagger, plan)
        document, text = document | {"calibration": calibration}, f"{calibration_lines}\n\n{text}"
    if not full:
        text = cut_lines(text.splitlines(), columns())
    _write_sheet(sheet_path, photos, tagger)
    click.echo(json.dumps(document) if as_json else text)


def _write_sheet(path: Path | None, photos: list[Judged], tagger: FileTagger) -> None:
    if path is not None:
        parts = sheet(photos, measured(photos), tagger.vocabulary)
        write_contact_sheet(path, "evaluate", parts, tagger.make_reader())


@dataclass(frozen=True, slots=True)
class _CalibrationPlan:
    """The target of a calibration, and where to write it."""

    precision: float
    overlay: Path | None
    cool: bool
    full: bool


def _say_ratings(*, as_json: bool) -> None:
    sums, vocabulary = tallies(ratings_of_stack(warn).scan()), Vocabulary.load()
    click.echo(json.dumps(tallies_document(sums, vocabulary)) if as_json else tallies_text(sums, vocabulary))


def _calibrate(photos: list[Judged], tagger: FileTagger, plan: _CalibrationPlan) -> tuple[dict[str, Any], str]:
    """Write the thresholds that help to their files, and return the report as JSON and as text."""
    card = tagger.classifier.card
    class_ids = [model_class.id for model_class in card.classes]
    calibration = calibrated(photos, tagger.mapper, class_ids, plan.precision, cool=plan.cool)
    written = []
    if calibration.helps:
        path = plan.overlay or overlay_path() or home() / OVERLAY_NAME
        write_thresholds(path, calibration.by_id())
        written.append(str(path))
        if plan.cool:
            cooled = replace(card, temperature=round(card.temperature * calibration.temperature.value, 4))
            (model_dir() / CARD_NAME).write_text(cooled.to_json(), encoding="utf-8")
            written.append(str(model_dir() / CARD_NAME))
    text = calibration_text(calibration, tagger.vocabulary, full=plan.full)
    document = calibration_document(calibration, tagger.vocabulary) | {"written": written}
    return document, f"{text}\nwritten to {' and '.join(written)}" if written else text
