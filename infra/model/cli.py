"""`catalog-tagger model`: make the default model and read its card."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.model.publish import publish
from pipeline.errors import CallerError
from pipeline.settings import home, model_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagging_lambda.model_card import InputContract, MeasuredAccuracy, ModelCard, ModelFile

IMPORTED = "imported"  # the name of a model on its way to be the one that tags
MOST_TRIED = 100  # files of a folder; some may be no photos

# What is imported inside the functions is loaded when a command runs: the help must not wait for onnx.


@click.group()
def model() -> None:
    """Build, import and compare models, and choose the one that tags."""


@model.command()
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
    from infra.model.build import ModelBuilder  # noqa: PLC0415 - as said above
    from infra.model.npm import Npm  # noqa: PLC0415 - as said above

    folder = model_dir()
    builder = ModelBuilder(home(), folder, Npm(), _silent if as_json else _say, quiet=as_json)
    try:
        card = builder.build(force=force, labels=labels)
    except OSError as error:
        raise CallerError(f"{error.filename or folder} cannot be used ({error.strerror})") from error
    _print(card, folder, as_json=as_json)


@model.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole card as JSON.")
def show(as_json: bool) -> None:
    """Print the model card: what the model is, what it takes, and how right it was found to be."""
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as said above
    from tagging_lambda.model_card import ModelCard  # noqa: PLC0415 - as said above

    folder = model_dir()
    _print(ModelCard.load(folder / CARD_NAME), folder, as_json=as_json)


def _print(card: ModelCard, folder: Path, *, as_json: bool) -> None:
    if as_json:
        whole = {"folder": str(folder), "version": card.version, **asdict(card)}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(card, folder)))


def _lines(card: ModelCard, folder: Path) -> list[str]:
    rows = [
        ("model", f"{card.name} {card.version}, {len(card.classes):,} classes"),
        ("folder", str(folder)),
        *(("file", _file(card, file)) for file in card.files),
        ("input", _input(card.input)),
        *(("accuracy", _accuracy(accuracy)) for accuracy in card.accuracy),
        ("source", card.source.package),
        ("licence", card.source.licence),
    ]
    if not card.accuracy:
        rows.append(("accuracy", "not measured; `catalog-tagger model build --evaluate LABELS.csv` measures it"))
    return [f"{title:<9} {value}" for title, value in rows]


def _file(card: ModelCard, file: ModelFile) -> str:
    served = ", served" if file.precision == card.served else ""
    return f"{file.name}, {file.precision}, {file.size_bytes:,} bytes{served}"


def _input(contract: InputContract) -> str:
    fit = {
        "crop": f"the middle, after the shorter side is shrunk to {contract.shorter_side_pixels}",
        "subject": f"the middle of what stands out from an even border, else of the picture, "
        f"after its shorter side is shrunk to {contract.shorter_side_pixels}",
        "squash": "the whole, its proportions changed",
        "pad": "the whole, white around it",
    }
    size = f"{contract.width_pixels} x {contract.height_pixels} pixels"
    return f"{size}, {contract.colour_order}, {contract.layout}; {fit[contract.fit]}"


def _accuracy(measured: MeasuredAccuracy) -> str:
    shares = f"top-1 {measured.top1:.3f}, top-5 {measured.top5:.3f}"
    return f"{measured.precision}: {shares} on {measured.images:,} photos ({measured.photos})"


def _say(line: str) -> None:
    click.echo(line, err=True)


def _silent(_: str) -> None:
    """Say nothing: the one document on standard output is all that is asked for."""


@model.command()
@click.argument("name")
@click.option(
    "--card",
    "card_path",
    type=click.Path(path_type=Path),
    metavar="CARD.json",
    help="The model's card, with its file beside it.  [default: the model that tags]",
)
@click.option("--precision", help="Which of the card's files.  [default: the one that is served]")
def install(name: str, card_path: Path | None, precision: str | None) -> None:
    """Install a further model under NAME, for people to compare on the page: it tags nothing."""
    from infra.model.install import install as install_model  # noqa: PLC0415 - as said above
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as said above

    card = install_model(name, card_path or model_dir() / CARD_NAME, home(), precision)
    click.echo(f"{name}: {card.name} {card.served}, version {card.version}. `catalog-tagger local up` deploys it.")


@model.command("import")
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
    from infra.model.foreign_card import ForeignCard  # noqa: PLC0415 - as said above
    from infra.model.import_model import import_model  # noqa: PLC0415 - as said above
    from infra.model.install import check_name  # noqa: PLC0415 - as said above
    from infra.model.promote import promote as promote_model  # noqa: PLC0415 - as said above
    from pipeline.front_settings import MODELS_FOLDER  # noqa: PLC0415 - as said above
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.settings import OVERLAY_NAME, overlay_path  # noqa: PLC0415 - as said above
    from tagging_lambda.evaluate.overlay import write_keywords  # noqa: PLC0415 - as said above

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
    _print(brought.card, folder, as_json=as_json)
    if not as_json:
        words = ", ".join(word.name() for word in brought.new_words)
        click.echo(f"new words  {words}" if words else "every class has a keyword of the taxonomy or none of its own")


@model.command()
@click.argument("name")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Photos at most.")
@click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE.html", help="Show the changes with pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def shadow(*, name: str, paths: Sequence[Path], sample: int, sheet: Path | None, as_json: bool) -> None:
    """Run a new model, head or taxonomy beside the present one, and report what would change. Nothing is written.

    NAME is of an installed model or head, or a file to lay over the taxonomy (overlay.csv). PATH... are photos and
    folders; without them, a sample of the photos that the deployed stack has tagged.
    """
    from infra.model.shadow import run_shadow  # noqa: PLC0415 - as said above

    run_shadow(name, paths, sample, sheet, as_json=as_json)


@model.command("promote")
@click.argument("name")
def promote_command(name: str) -> None:
    """Make an installed model the one that tags. The one before it stays installed as `previous`.

    What the old model tagged is stale: `catalog-tagger load PLACE --only stale` brings it over.
    """
    from infra.model.promote import promote as promote_model  # noqa: PLC0415 - as said above

    card = promote_model(name, home(), model_dir())
    click.echo(f"{card.name} {card.version} tags from now on; `catalog-tagger model promote previous` goes back")
    click.echo("deploy it, then bring over what the old model tagged: catalog-tagger load PLACE --only stale")


def _pictures(photos: Path | None) -> list[bytes]:
    from infra.model.npm import Npm  # noqa: PLC0415 - as said above
    from infra.model.sample_catalogue import sample_catalogue  # noqa: PLC0415 - as said above
    from tagging_lambda.local_files import files_below  # noqa: PLC0415 - as said above

    if photos is None:
        return [photo.path.read_bytes() for photo in sample_catalogue(home(), Npm(), _say).photos]
    return [path.read_bytes() for path in islice(files_below([photos]), MOST_TRIED)]


model.add_command(publish)
