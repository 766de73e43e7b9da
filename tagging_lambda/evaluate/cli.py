"""Commands that measure: evaluate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from tagging_lambda.evaluate.measure import Judged
    from tagging_lambda.local_files import FileTagger

# What is imported inside the functions is loaded when a command runs, not for the help.


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
    as_json: bool,
) -> None:
    """Measure how often keywords are right on photos whose keywords a person knows.

    LABELS.csv has the columns file, expected and, if wanted, acceptable: words in any language, or ids, parted by |.
    A keyword above an expected or acceptable one counts as right.

    With --calibrate, each keyword that ten photos or more lead to is said from the lowest score on from which it is
    right as often as --precision asks for; `catalog-tagger retag` brings that to the table. With --temperature, class
    scores become as sure as they are right: another version of the model, so that every photo is looked at again.
    """
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from pipeline.settings import model_dir  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.evaluate import evaluated, judged  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.labels import labels_in  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.report import evaluation_document, evaluation_text  # noqa: PLC0415 - as said above
    from tagging_lambda.local_files import FileTagger  # noqa: PLC0415 - as said above

    if ratings != (labels is None):
        raise CallerError("name the photos' labels, LABELS.csv, or ask for --ratings; one of the two")
    if labels is None:
        _say_ratings(as_json=as_json)
        return
    if temperature and not calibrate:
        raise CallerError("--temperature belongs to --calibrate")
    for written in filter(None, (sheet_path, overlay)):
        if not written.parent.is_dir():
            raise CallerError(f"{written} cannot be written: there is no folder {written.parent}")
    vocabulary = Vocabulary.load()
    files = labels_in(labels, labels.parent if folder is None else folder, vocabulary)
    tagger = FileTagger.load(model_dir(), vocabulary, workers)
    with Progress("evaluate", total=len(files), unit="photos", quiet=as_json) as progress:
        photos = list(progress.over(judged(files, tagger)))
    found = evaluated(photos, tagger.taxonomy)
    document = evaluation_document(found, photos, vocabulary)
    text = evaluation_text(found, photos, vocabulary)
    if calibrate:
        said = _calibrated(photos, tagger, precision, overlay, cool=temperature)
        document, text = document | {"calibration": said[0]}, f"{text}\n{said[1]}"
    if sheet_path is not None:
        _write_sheet(sheet_path, photos, tagger)
    click.echo(json.dumps(document) if as_json else text)


def _say_ratings(*, as_json: bool) -> None:
    from pipeline.aws.ratings import ratings_of_stack  # noqa: PLC0415 - as said above
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.ratings import tallies  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.ratings import tallies_document, tallies_text  # noqa: PLC0415 - as said above

    found, vocabulary = tallies(ratings_of_stack(_warn).scan()), Vocabulary.load()
    click.echo(json.dumps(tallies_document(found, vocabulary)) if as_json else tallies_text(found, vocabulary))


def _warn(line: str) -> None:
    click.echo(line, err=True)


def _calibrated(
    photos: list[Judged], tagger: FileTagger, precision: float, overlay: Path | None, *, cool: bool
) -> tuple[dict[str, Any], str]:
    """Write what is found into its files, and return it as JSON and as text."""
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as said above
    from pipeline.settings import OVERLAY_NAME, home, model_dir, overlay_path  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.calibrate import calibrated  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.overlay import write_thresholds  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.report import calibration_document, calibration_text  # noqa: PLC0415 - as said above

    card = tagger.classifier.card
    found = calibrated(photos, tagger.taxonomy, [each.id for each in card.classes], precision, cool=cool)
    path = overlay or overlay_path() or home() / OVERLAY_NAME
    write_thresholds(path, found.by_id())
    written = [str(path)]
    if cool:
        hotter = replace(card, temperature=round(card.temperature * found.temperature.value, 4))
        (model_dir() / CARD_NAME).write_text(hotter.to_json(), encoding="utf-8")
        written.append(str(model_dir() / CARD_NAME))
    document = calibration_document(found, tagger.vocabulary) | {"written": written}
    return document, f"{calibration_text(found, tagger.vocabulary)}\nwritten to {' and '.join(written)}"


def _write_sheet(path: Path, photos: list[Judged], tagger: FileTagger) -> None:
    from tagging_lambda.evaluate.measure import measured  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.sheet import sheet  # noqa: PLC0415 - as said above

    reader = tagger.make_reader()
    try:
        parts = sheet(photos, measured(photos), tagger.vocabulary, lambda name: Path(name).read_bytes(), reader)
        path.write_text("".join(parts), encoding="utf-8")
    finally:
        reader.close()
