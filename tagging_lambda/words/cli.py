"""Commands about words of one's own: learn, verify, heads."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.images import BucketPrefix, ImageRef
    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from pipeline.records import Record
    from tagging_lambda.image.contact_sheet import Section
    from tagging_lambda.local_files import FileTagger
    from tagging_lambda.words.head_store import InstalledHeads
    from tagging_lambda.words.labels import Labels
    from tagging_lambda.words.learn import SeenPhoto
    from tagging_lambda.words.train import Background

# What is imported inside the functions is loaded when a command runs, not for the help.

_LABELS = click.argument("labels", type=click.Path(path_type=Path), metavar="LABELS.csv")
_FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where the photos lie.  [default: beside LABELS.csv]"
)
_WORKERS = click.option("--workers", type=click.IntRange(1, 256), help="Photos at once.  [default: one for each core]")
_SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which photos are held out.")
_SHEET = click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE.html", help="Show it with pictures.")
_FULL = click.option("--full", is_flag=True, help="Print every row, however many.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")


@click.command()
@_LABELS
@click.option("--name", required=True, help="Of the head: 1 to 32 of a-z 0-9 and -.")
@click.option("--precision", type=click.FloatRange(0.5, 1), default=0.95, show_default=True, help="What to aim at.")
@click.option("--below", metavar="KEYWORD", help="What words new to the taxonomy belong below.")
@_FOLDER
@_WORKERS
@_SEED
@_SHEET
@_FULL
@_JSON
def learn(
    *,
    labels: Path,
    name: str,
    precision: float,
    below: str | None,
    folder: Path | None,
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

    A word is said from the lowest score on from which it is right as often as --precision asks for, on photos that
    were held out. What cannot reach it is left out. `catalog-tagger tag PHOTOS --head NAME` uses the head.
    """
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.settings import OVERLAY_NAME, home, overlay_path  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.keyword_lookup import keyword_named  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.overlay import write_keywords  # noqa: PLC0415 - as said above
    from tagging_lambda.words import learn_report  # noqa: PLC0415 - as said above
    from tagging_lambda.words.head_store import check_name  # noqa: PLC0415 - as said above
    from tagging_lambda.words.labels import read_labels  # noqa: PLC0415 - as said above
    from tagging_lambda.words.learn import learn as learn_words  # noqa: PLC0415 - as said above
    from tagging_lambda.words.learn import training_source  # noqa: PLC0415 - as said above
    from tagging_lambda.words.train import TrainingPlan  # noqa: PLC0415 - as said above

    check_name(name)
    _check_writable(sheet)
    started_s = time.monotonic()
    vocabulary = Vocabulary.load()
    parent = keyword_named(below, vocabulary) if below else None
    labelled = read_labels(labels, labels.parent if folder is None else folder, vocabulary, parent)
    eyes = _Eyes.open(vocabulary, workers)
    seen = eyes.look(labelled, "learn", quiet=as_json)
    plan = TrainingPlan(name, eyes.space, (training_source(labels.name, labelled.photos),), precision, seed)
    learned = learn_words(seen, labelled, plan, eyes.background())
    path = _installed().install(name, learned.trained.head)
    if labelled.new_words:
        write_keywords(overlay_path() or home() / OVERLAY_NAME, labelled.new_words)
    new_words = [word.name() for word in labelled.new_words]
    report = learn_report.LearnReport.of(learned, new_words, time.monotonic() - started_s)
    if sheet is not None:
        eyes.write_sheet(sheet, "learn", learn_report.learn_opening(report), learn_report.learn_sections(learned))
    if as_json:
        click.echo(json.dumps(report.document() | {"folder": str(path)}))
    else:
        click.echo(f"{report.text(full=full)}\n\nwritten to {path}; `catalog-tagger tag PHOTOS --head {name}` uses it")


@click.command()
@_LABELS
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), metavar="FILE.csv", help="Write all that is found.")
@_FOLDER
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
    workers: int | None,
    seed: int,
    sheet: Path | None,
    full: bool,
    as_json: bool,
) -> None:
    """Find the photos that contradict their own keywords, worst first, with the word that the others speak for.

    LABELS.csv is as for `learn`. Each photo is judged by what the other photos teach; nothing is changed by itself.
    """
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from tagging_lambda.words import verify_report  # noqa: PLC0415 - as said above
    from tagging_lambda.words.labels import read_labels  # noqa: PLC0415 - as said above
    from tagging_lambda.words.verify import verify as verify_labels  # noqa: PLC0415 - as said above

    _check_writable(sheet)
    _check_writable(csv_path)
    vocabulary = Vocabulary.load()
    labelled = read_labels(labels, labels.parent if folder is None else folder, vocabulary)
    eyes = _Eyes.open(vocabulary, workers)
    verification = verify_labels(eyes.look(labelled, "verify", quiet=as_json), labelled.vocabulary, seed)
    text = verify_report.verification_text(verification, labelled.vocabulary, full=full)
    if csv_path is not None:
        csv_path.write_text(verify_report.verification_csv(verification, labelled.vocabulary), encoding="utf-8")
    if sheet is not None:
        opening = f"<h1>{text.splitlines()[0]}</h1>\n"
        eyes.write_sheet(sheet, "verify", opening, verify_report.verify_sections(verification, labelled.vocabulary))
    click.echo(json.dumps(verify_report.verification_document(verification, labelled.vocabulary)) if as_json else text)


@click.group()
def heads() -> None:
    """List, publish and take back the heads that say words of your own."""


@heads.command("list")
@_JSON
def list_heads(as_json: bool) -> None:
    """List the heads of this machine: their words, what they learned from, and what they replaced."""
    installed = _installed()
    rows = [_head_row(name, installed) for name in installed.names]
    if as_json:
        click.echo(json.dumps({"heads": rows}))
    elif not rows:
        click.echo("no head is installed; `catalog-tagger learn LABELS.csv --name NAME` makes one")
    for row in () if as_json else rows:
        click.echo(f"{row['name']:<20}{row['words']:>5,} words  {row['photos']:>7,} photos  version {row['version']}")


@heads.command()
@click.argument("place", metavar="s3://BUCKET/PREFIX")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_JSON
def publish(place: str, names: Sequence[str], as_json: bool) -> None:
    """Put your own heads into a bucket, all that are installed or those named, and print the address of their list.

    The starter head is not among them: it lies in the package. Publish all of them, and `retag`, `load --only stale`
    and `audit` on this machine go by the same heads as the stack.

    The address is deployed as the parameter HeadsUri. It ends with the hash of the list, so it means these heads for
    ever: to go back, deploy the address that was printed before.
    """
    from pipeline.images import BucketPrefix  # noqa: PLC0415 - as said above
    from tagging_lambda.words.head_store import STARTER  # noqa: PLC0415 - as said above
    from tagging_lambda.words.head_store import publish as publish_heads  # noqa: PLC0415 - as said above

    installed = _installed()
    prefix = BucketPrefix.parse(place.rstrip("/") + "/")
    chosen = names or installed.own_names
    if STARTER in chosen:
        raise CallerError("the starter head lies in the package and always speaks; name heads of your own")
    if not chosen:
        raise CallerError("no head is installed; `catalog-tagger learn LABELS.csv --name NAME` makes one")
    address = f"{prefix}{publish_heads([installed.path(name) for name in chosen], _files(prefix))}"
    if as_json:
        click.echo(json.dumps({"address": address, "heads": list(chosen)}))
    else:
        click.echo(f'make deploy PARAMETERS="HeadsUri={address}"')


@heads.command()
@click.argument("name")
def remove(name: str) -> None:
    """Take a head away from this machine. What it said of tagged photos stays until `catalog-tagger retag`."""
    _installed().remove(name)
    click.echo(f"{name} is removed from this machine")


@heads.command()
@click.argument("name")
def rollback(name: str) -> None:
    """Put the head that NAME replaced last back into its place; once more brings the present one back."""
    head = _installed().roll_back(name)
    click.echo(f"{name} is version {head.card.version} again, of {len(head.card.said):,} words")


def _head_row(name: str, installed: InstalledHeads) -> dict[str, Any]:
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as said above
    from tagging_lambda.words.head_card import HeadCard  # noqa: PLC0415 - as said above

    folder = installed.path(name)
    card = HeadCard.load(folder / CARD_NAME)
    return {
        "name": name,
        "version": card.version,
        "words": len(card.said),
        "left_out": len(card.left_out),
        "photos": sum(source.photos for source in card.training),
        "space": card.space,
        "folder": str(folder),
    }


def _files(prefix: BucketPrefix) -> FileStore:
    from pipeline.aws.clients import client  # noqa: PLC0415 - as said above
    from pipeline.aws.s3 import S3Files  # noqa: PLC0415 - as said above
    from pipeline.stack import endpoint_url_of  # noqa: PLC0415 - as said above

    return S3Files(client("s3", endpoint_url_of(os.environ)), prefix)


def _installed() -> InstalledHeads:
    from tagging_lambda.words.head_store import InstalledHeads  # noqa: PLC0415 - as said above

    return InstalledHeads.of_this_machine()


def _check_writable(path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        raise CallerError(f"{path} cannot be written: there is no folder {path.parent}")


@dataclass(frozen=True)
class _Eyes:
    """What sees the photos of a command."""

    tagger: FileTagger
    space: str

    @classmethod
    def open(cls, vocabulary: Vocabulary, workers: int | None) -> _Eyes:
        from pipeline.settings import model_dir  # noqa: PLC0415 - as said above
        from tagging_lambda.local_files import FileTagger  # noqa: PLC0415 - as said above

        tagger = FileTagger.load(model_dir(), vocabulary, workers)
        if not tagger.space:
            raise CallerError(
                f"the model {tagger.classifier.card.name} has no projection of its features to learn from"
            )
        return cls(tagger, tagger.space)

    def look(self, labels: Labels, title: str, *, quiet: bool) -> list[SeenPhoto]:
        from pipeline.progress import Progress  # noqa: PLC0415 - as said above
        from tagging_lambda.words.photo_vectors import PhotoVectors  # noqa: PLC0415 - as said above

        vectors = PhotoVectors(self.tagger, _records, _warn)
        with Progress(title, total=len(labels.photos), unit="photos", quiet=quiet) as progress:
            return [seen for seen in progress.over(vectors.read(labels.photos)) if seen is not None]

    def background(self) -> Background:
        from tagging_lambda.words.background import load_background  # noqa: PLC0415 - as said above

        return load_background(self.space)

    def write_sheet(self, path: Path, title: str, opening: str, sections: list[Section]) -> None:
        from tagging_lambda.image.contact_sheet import contact_sheet  # noqa: PLC0415 - as said above

        reader = self.tagger.make_reader()
        try:
            parts = contact_sheet(title, opening, sections, lambda name: Path(name).read_bytes(), reader)
            path.write_text("".join(parts), encoding="utf-8")
        finally:
            reader.close()


def _records(images: Sequence[ImageRef]) -> dict[ImageRef, Record]:
    from pipeline.aws.clients import client  # noqa: PLC0415 - as said above
    from pipeline.aws.dynamodb import DynamoTable  # noqa: PLC0415 - as said above
    from pipeline.stack import find_stack  # noqa: PLC0415 - as said above
    from pipeline.unreadable import UnreadableItem  # noqa: PLC0415 - as said above

    stack = find_stack()
    found = DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name).get_many(images)
    return {image: record for image, record in found.items() if not isinstance(record, UnreadableItem)}


def _warn(line: str) -> None:
    click.echo(line, err=True)
