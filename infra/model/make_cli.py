"""`catalog-tagger model build` and `model import`: the commands that need the ONNX tools."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from infra.model.build import ModelBuilder
from infra.model.card_report import print_card
from infra.model.foreign_card import ForeignCard
from infra.model.import_model import import_model
from infra.model.installed import check_name
from infra.model.installed import promote as promote_model
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from pipeline.errors import CallerError
from pipeline.front_settings import MODELS_FOLDER
from pipeline.keywords import Vocabulary
from pipeline.settings import OVERLAY_NAME, home, model_dir, overlay_path
from tagging_lambda.evaluate.overlay import write_keywords
from tagging_lambda.tag_files import files_below

IMPORTED = "imported"  # the name of a model until it is promoted
MOST_TRIED = 100  # files in a folder; not all may be photos


@click.command()
@click.option("--force", is_flag=True, help="Build again, even if the model is up to date.")
@click.option(
    "--evaluate",
    "labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="LABELS.csv",
    help="Measure the accuracy on photos of known class: columns file, class_index.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, and nothing else.")
def build(force: bool, labels: Path | None, as_json: bool) -> None:
    """Fetch ResNet-50, convert it to ONNX, quantize it to int8, and write the model card.

    Nothing happens if that is done already.
    """
    folder = model_dir()
    builder = ModelBuilder(home(), folder, Npm(), _silent if as_json else _say, quiet=as_json)
    try:
        card = builder.build(force=force, labels=labels)
    except OSError as error:
        raise CallerError(f"{error.filename or folder} cannot be used ({error.strerror})") from error
    print_card(card, folder, as_json=as_json)


@click.command("import")
@click.argument("path", metavar="MODEL.onnx", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--card",
    "card_path",
    required=True,
    metavar="CARD.json",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What you know of it: name, input, output, classes, licence, source.",
)
@click.option("--name", help="Install it beside the model that tags, under this name, instead of in its place.")
@click.option(
    "--photos",
    type=click.Path(exists=True, path_type=Path),
    help="Photos to try it on.  [default: the sample catalogue]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, and nothing else.")
def import_command(*, path: Path, card_path: Path, name: str | None, photos: Path | None, as_json: bool) -> None:
    """Make any ONNX classifier the model that tags.

    CARD.json says what is known of it: {"name": ..., "input": {"mean": ..., "scale": ..., "colour_order": ...},
    "classes": "imagenet" or a list of names, or of {"id": WordNet id, "name": ..., "below": KEYWORD}}. What it leaves
    out is found by running photos through the model, and so is what it says wrongly. The model that tagged before
    stays as `previous`: `catalog-tagger model promote previous` goes back.
    """
    check_name(name or IMPORTED)
    folder = home() / MODELS_FOLDER / (name or IMPORTED)
    card = ForeignCard.load(card_path)
    brought = import_model(path, card, _pictures(photos), Vocabulary.load(), folder)
    if brought.new_words:
        write_keywords(overlay_path() or home() / OVERLAY_NAME, brought.new_words)
    for finding in () if as_json else brought.findings:
        click.echo(finding, err=True)
    if name is None:
        promote_model(IMPORTED, home(), model_dir())
        folder = model_dir()
    print_card(brought.card, folder, as_json=as_json)
    if not as_json:
        _print_new_words([word.name() for word in brought.new_words])


def _print_new_words(words: list[str]) -> None:
    if words:
        click.echo(f"new words  {', '.join(words)}")
    else:
        click.echo("every class has a keyword of the taxonomy or none of its own")


def _pictures(photos: Path | None) -> list[bytes]:
    if photos is None:
        return [photo.path.read_bytes() for photo in sample_catalogue(home(), Npm(), _say).photos]
    return [path.read_bytes() for path in islice(files_below([photos]), MOST_TRIED)]


def _say(line: str) -> None:
    click.echo(line, err=True)


def _silent(_: str) -> None:
    """Print nothing: standard output is for the one JSON document."""
