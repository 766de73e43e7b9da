"""`catalog-tagger model`: make the default model and read its card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.model.publish import publish
from pipeline.errors import CallerError
from pipeline.settings import home, model_dir

if TYPE_CHECKING:
    from tagging_lambda.model_card import InputContract, MeasuredAccuracy, ModelCard, ModelFile


@click.group()
def model() -> None:
    """Make the model that looks at the photos, and read its card."""


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
    from infra.model.build import ModelBuilder  # noqa: PLC0415 - the help must not wait for onnx
    from infra.model.npm import Npm  # noqa: PLC0415 - as above

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
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as light as the help
    from tagging_lambda.model_card import ModelCard  # noqa: PLC0415 - as light as the help

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
        *(("file", _file(card, each)) for each in card.files),
        ("input", _input(card.input)),
        *(("accuracy", _accuracy(each)) for each in card.accuracy),
        ("source", card.source.package),
        ("licence", card.source.licence),
    ]
    if not card.accuracy:
        rows.append(("accuracy", "not measured; `catalog-tagger model build --evaluate LABELS.csv` measures it"))
    return [f"{what:<9} {value}" for what, value in rows]


def _file(card: ModelCard, file: ModelFile) -> str:
    served = ", served" if file.precision == card.served else ""
    return f"{file.name}, {file.precision}, {file.size_bytes:,} bytes{served}"


def _input(contract: InputContract) -> str:
    fit = {
        "crop": f"the middle, after the shorter side is shrunk to {contract.shorter_side_pixels}",
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
    from infra.model.install import install as install_model  # noqa: PLC0415 - as light as the help
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as above

    card = install_model(name, card_path or model_dir() / CARD_NAME, home(), precision)
    click.echo(f"{name}: {card.name} {card.served}, version {card.version}. `catalog-tagger local up` deploys it.")


model.add_command(publish)
