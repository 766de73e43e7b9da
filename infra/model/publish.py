"""`catalog-tagger model publish`: the model goes where deployed functions fetch it from."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files
from pipeline.images import BucketPrefix
from pipeline.settings import model_dir
from pipeline.stack import endpoint_url_of
from tagging_lambda.model_store import keep

if TYPE_CHECKING:
    from pipeline.ports import FileStore


@click.command()
@click.argument("place", metavar="s3://BUCKET/PREFIX")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON, and nothing else.")
def publish(*, place: str, as_json: bool) -> None:
    """Put the model into a bucket, for functions that do not hold it, and say its address.

    The address is deployed as the parameter ModelUri. It ends with the hash of the card, so it means this model for
    ever: another model has another address.
    """
    prefix = BucketPrefix.parse(place.rstrip("/") + "/")
    address = f"{prefix}{keep(model_dir(), _files(prefix))}"
    click.echo(json.dumps({"address": address}) if as_json else f'make deploy MODEL=no PARAMETERS="ModelUri={address}"')


def _files(prefix: BucketPrefix) -> FileStore:
    return S3Files(client("s3", endpoint_url_of(os.environ)), prefix)
