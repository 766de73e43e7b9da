"""Commands for a shop's own words: learn, verify."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.aws.dynamodb import table_of_stack
from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary
from pipeline.progress import Progress
from pipeline.settings import OVERLAY_NAME, home, model_dir, overlay_path
from pipeline.terminal import warn
from pipeline.unreadable import UnreadableItem
from pipeline.whole_file import check_writable
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.evaluate.overlay import write_keywords
from tagging_lambda.image.contact_sheet import write_contact_sheet
from tagging_lambda.tag_files import FileTagger
from tagging_lambda.words import learn_report, verify_report
from tagging_lambda.words.background import load_background
from tagging_lambda.words.head_store import InstalledHeads, check_name
from tagging_lambda.words.labels import Labels, pinned_labels, read_labels
from tagging_lambda.words.learn import SeenPhoto, training_source
from tagging_lambda.words.learn import learn as learn_words
from tagging_lambda.words.photo_vectors import PhotoVectors, image_of
from tagging_lambda.words.train import TrainingPlan
from tagging_lambda.words.verify import verify as verify_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.images import ImageRef
    from pipeline.records import Record


_LABELS = click.argument("labels", type=click.Path(path_type=Path), metavar="LABELS.csv")
_FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where the photos lie.  [default: beside LABELS.csv]"
)
_FROM = click.option(
    "--from",
    "export",
    metavar="DIR|s3://BUCKET/PREFIX",
    help="An export that has the photos' vectors, of `tag -o` too.",
)
_WORKERS = click.option("--workers", type=click.IntRange(1, 256), help="Photos at once.  [default: one for each core]")
_SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which photos are held out.")
_SHEET = click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE.html", help="Show it with pictures.")
_FULL = click.option("--full", is_flag=True, help="Print every row, however many.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")


@click.command()
@click.argument("labels", type=click.Path(path_type=Path), metavar="[LABELS.csv]", required=False)
@click.option("--from-table", is_flag=True, help="Learn from the keywords that people pinned to tagged photos.")
@click.option("--name", required=True, help="Of the head: 1 to 32 of a-z 0-9 and -.")
@click.option("--precision", type=click.FloatRange(0.5, 1), default=0.9, show_default=True, help="What to aim at.")
@click.option("--below", metavar="KEYWORD", help="What words new to the taxonomy belong below.")
@_FOLDER
@_FROM
@_WORKERS
@_SEED
@_SHEET
@_FULL
@_JSON
def learn(
    *,
    labels: Path | None,
    from_table: bool,
    name: str,
    precision: float,
    below: str | None,
    folder: Path | None,
    export: str | None,
    workers: int | None,
    seed: int,
    sheet: Path | None,
    full: bool,
    as_json: bool,
) -> None:
    """Learn your own words from labelled photos, in seconds.

    LABELS.csv has the columns file (or image: s3://bucket/key, of a photo that is tagged) and keywords, parted by |.
    Three photos of a word are the least; a photo without keywords is an example of something else. A column product,
    contributor or group says which photos belong together: no word is judged on a group that it was learned from.
    With --from-table, the photos are those that are tagged and have a pinned keyword; none of them is read again.
    Photos that the export of --from has are not read again either, and may be gone.

    A word is said from the lowest score on from which it is right as often as --precision asks for, on photos that
    were held out. What cannot reach it is left out. `catalog-tagger tag PHOTOS --head NAME` uses the head.
    """
    check_name(name)
    check_writable(sheet)
    started_s = time.monotonic()
    vocabulary = Vocabulary.load()
    parent = keyword_named(below, vocabulary) if below else None
    if (labels is None) is not from_table:
        raise CallerError("name either a file LABELS.csv or --from-table to learn from")
    if labels is None:
        labelled, source = pinned_labels(table_of_stack().scan(), vocabulary), "people's pins"
    else:
        labelled = read_labels(
            labels, folder or labels.parent, vocabulary, parent, files_may_be_gone=export is not None
        )
        source = labels.name
    exported = _exported(export, labelled)
    tagger = _open_tagger(vocabulary, workers)
    seen = _look(tagger, labelled, "learn", exported, quiet=as_json)
    plan = TrainingPlan(name, tagger.space, (training_source(source, labelled.photos),), precision, seed)
    learned = learn_words(seen, labelled, plan, load_background(tagger.space))
    path = InstalledHeads.of_this_machine().install(name, learned.trained.head)
    new_words = _keep_new_words(labelled)
    report = learn_report.LearnReport.of(learned, new_words, time.monotonic() - started_s)
    if sheet is not None:
        opening, sections = learn_report.learn_opening(report), learn_report.learn_sections(learned)
        write_contact_sheet(sheet, "learn", (opening, sections), tagger.make_reader())
    if as_json:
        click.echo(json.dumps(report.document() | {"folder": str(path)}))
    else:
        click.echo(f"{report.text(full=full)}\n\nwritten to {path}; `catalog-tagger tag PHOTOS --head {name}` uses it")


def _keep_new_words(labels: Labels) -> list[str]:
    """Write the words that the taxonomy lacks into the shop's own, and return their names."""
    if labels.new_words:
        write_keywords(overlay_path() or home() / OVERLAY_NAME, labels.new_words)
    return [word.name() for word in labels.new_words]


@click.command()
@_LABELS
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), metavar="FILE.csv", help="Write all that is found.")
@_FOLDER
@_FROM
@_WORKERS
@_SEED
@_SHEET
@_FULL
@_JSON
def verify(
    *,
    labels: Path,
    csv_path: Path | None,
    folder: Path | None,
    export: str | None,
    workers: int | None,
    seed: int,
    sheet: Path | None,
    full: bool,
    as_json: bool,
) -> None:
    """Find the photos that contradict their own keywords, worst first, with the word that the others speak for.

    LABELS.csv and --from are as for `learn`. Each photo is judged by what the other photos teach; nothing is changed by
    itself.
    """
    check_writable(sheet)
    check_writable(csv_path)
    vocabulary = Vocabulary.load()
    labelled = read_labels(labels, folder or labels.parent, vocabulary, files_may_be_gone=export is not None)
    exported = _exported(export, labelled)
    tagger = _open_tagger(vocabulary, workers)
    seen = _look(tagger, labelled, "verify", exported, quiet=as_json)
    verification = verify_labels(seen, labelled.vocabulary, seed, load_background(tagger.space))
    text = verify_report.verification_text(verification, labelled.vocabulary, full=full)
    if csv_path is not None:
        csv_path.write_text(verify_report.verification_csv(verification, labelled.vocabulary), encoding="utf-8")
    if sheet is not None:
        opening = f"<h1>{text.splitlines()[0]}</h1>\n"
        sections = verify_report.verify_sections(verification, labelled.vocabulary)
        write_contact_sheet(sheet, "verify", (opening, sections), tagger.make_reader())
    click.echo(json.dumps(verify_report.verification_document(verification, labelled.vocabulary)) if as_json else text)


def _open_tagger(vocabulary: Vocabulary, workers: int | None) -> FileTagger:
    """Return the tagger that sees the photos of a command."""
    tagger = FileTagger.load(model_dir(), vocabulary, workers).with_cache()
    if not tagger.space:
        raise CallerError(f"the model {tagger.classifier.card.name} has no projection of its features to learn from")
    return tagger


def _look(
    tagger: FileTagger, labels: Labels, title: str, exported: Mapping[ImageRef, Record] | None, *, quiet: bool
) -> list[SeenPhoto]:
    vectors = PhotoVectors(tagger, _records, warn, exported)
    with Progress(title, total=len(labels.photos), unit="photos", quiet=quiet) as progress:
        return [seen for seen in progress.over(vectors.read(labels.photos)) if seen is not None]


def _exported(source: str | None, labels: Labels) -> dict[ImageRef, Record] | None:
    """Return an export's records of these photos; the wiring of the commands provides the export's reader."""
    if source is None:
        return None
    read: Callable[[str], Iterable[Record]] = click.get_current_context().obj
    images = {image_of(photo) for photo in labels.photos}
    return {record.observation.image: record for record in read(source) if record.observation.image in images}


def _records(images: Sequence[ImageRef]) -> dict[ImageRef, Record]:
    items = table_of_stack().get_many(images)
    return {image: record for image, record in items.items() if not isinstance(record, UnreadableItem)}
