"""`catalog-tagger heads`: list, publish, remove and roll back the heads of this machine."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files
from pipeline.errors import CallerError
from pipeline.images import BucketPrefix
from pipeline.model_version import CARD_NAME
from pipeline.stack import endpoint_url_of
from tagging_lambda.words.head_card import HeadCard
from tagging_lambda.words.head_store import STARTER, InstalledHeads
from tagging_lambda.words.head_store import publish as publish_heads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.ports import FileStore

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")


@click.command("list")
@_JSON
def list_heads(as_json: bool) -> None:
    """List the heads of this machine: their words, what they learned from, and what they replaced."""
    installed = InstalledHeads.of_this_machine()
    rows = [_head_row(name, installed) for name in installed.names]
    if as_json:
        click.echo(json.dumps({"heads": rows}))
    elif not rows:
        click.echo("no head is installed; `catalog-tagger learn LABELS.csv --name NAME` makes one")
    for row in () if as_json else rows:
        click.echo(f"{row['name']:<20}{row['words']:>5,} words  {row['photos']:>7,} photos  version {row['version']}")


@click.command()
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
    prefix = BucketPrefix.parse(place.rstrip("/") + "/")
    installed = InstalledHeads.of_this_machine()
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


@click.command()
@click.argument("name")
def remove(name: str) -> None:
    """Take a head away from this machine. What it said of tagged photos stays until `catalog-tagger retag`."""
    InstalledHeads.of_this_machine().remove(name)
    click.echo(f"{name} is removed from this machine")


@click.command()
@click.argument("name")
def rollback(name: str) -> None:
    """Put the head that NAME replaced last back into its place; once more brings the present one back."""
    head = InstalledHeads.of_this_machine().roll_back(name)
    click.echo(f"{name} is version {head.card.version} again, of {len(head.card.said):,} words")


def _head_row(name: str, installed: InstalledHeads) -> dict[str, Any]:
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
    return S3Files(client("s3", endpoint_url_of(os.environ)), prefix)
