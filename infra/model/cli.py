"""`catalog-tagger model`: show, install, shadow, promote and publish built models."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from infra.model.card_report import print_card
from infra.model.installed import install as install_model
from infra.model.installed import promote as promote_model
from infra.model.shadow import run_shadow
from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files
from pipeline.images import BucketPrefix
from pipeline.model_version import CARD_NAME
from pipeline.settings import home, model_dir
from pipeline.stack import endpoint_url_of
from tagging_lambda.model_card import ModelCard
from tagging_lambda.model_store import keep


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole card as JSON.")
def show(as_json: bool) -> None:
    """Print the model card: what the model is, what it takes, and how right it was found to be."""
    folder = model_dir()
    print_card(ModelCard.load(folder / CARD_NAME), folder, as_json=as_json)


@click.command()
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
    card = install_model(name, card_path or model_dir() / CARD_NAME, home(), precision)
    click.echo(f"{name}: {card.name} {card.served}, version {card.version}. `catalog-tagger local up` deploys it.")


@click.command()
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
    run_shadow(name, paths, sample, sheet, as_json=as_json)


@click.command("promote")
@click.argument("name")
def promote_command(name: str) -> None:
    """Make an installed model the one that tags. The one before it stays installed as `previous`.

    What the old model tagged is stale: `catalog-tagger load PLACE --only stale` brings it over.
    """
    card = promote_model(name, home(), model_dir())
    click.echo(f"{card.name} {card.version} tags from now on; `catalog-tagger model promote previous` goes back")
    click.echo("deploy it, then bring over what the old model tagged: catalog-tagger load PLACE --only stale")


@click.command()
@click.argument("place", metavar="s3://BUCKET/PREFIX")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON, and nothing else.")
def publish(*, place: str, as_json: bool) -> None:
    """Put the model into a bucket, for functions that do not hold it, and say its address.

    The address is deployed as the parameter ModelUri. It ends with the hash of the card, so it means this model for
    ever: another model has another address.
    """
    prefix = BucketPrefix.parse(place.rstrip("/") + "/")
    files = S3Files(client("s3", endpoint_url_of(os.environ)), prefix)
    address = f"{prefix}{keep(model_dir(), files)}"
    click.echo(json.dumps({"address": address}) if as_json else f'make deploy MODEL=no PARAMETERS="ModelUri={address}"')
