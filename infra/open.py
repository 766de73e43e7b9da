"""The page, for a first look: ``make open`` starts all, loads the sample catalogue, and opens a browser."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from typing import Any

import click

from infra.cli import main as catalog_tagger
from infra.local.place import default_place
from infra.local.run import status
from infra.model.install import install
from infra.model.npm import Npm
from infra.model.sample_catalogue import SampleCatalogue, sample_catalogue
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.errors import CatalogTaggerError, RetryLater
from pipeline.front_settings import MODELS_FOLDER
from pipeline.images import BucketPrefix, ImageRef
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.settings import home, model_dir
from pipeline.stack import TARGET_VARIABLE, Stack

COMPARED = "float32"  # the same model before it was quantized: what people compare with first
PATIENCE_S = 120.0  # chosen by us: all is tagged in a few seconds on two cores


def run(*, browser: bool = True) -> str:
    """Bring the page up with the sample catalogue on it, open it in a browser, and return its address.

    What is there already stays as it is.

    Raises:
        CatalogTaggerError: a step failed; its message says which and why.
    """
    os.environ[TARGET_VARIABLE] = "local"
    catalogue = sample_catalogue(home(), Npm(), _say)
    _type("model", "build")
    if not (home() / MODELS_FOLDER / COMPARED).exists():
        install(COMPARED, model_dir() / CARD_NAME, home(), COMPARED)
    _type("local", "up")
    found = status(default_place())
    if found.stack is None or found.page_url is None:
        raise RetryLater("the local stack does not say where its page is")
    if _loaded(catalogue, found.stack):
        _type("export")
    click.secho(f"\nThe page: {found.page_url}", bold=True)
    click.echo("`catalog-tagger local down` stops it; what it holds is kept.")
    if browser:
        webbrowser.open(found.page_url)
    return found.page_url


def _loaded(catalogue: SampleCatalogue, stack: Stack) -> bool:
    """Put the sample photos that are missing into the bucket, wait for their keywords, and say whether any were."""
    s3 = client("s3", stack.endpoint_url)
    there = {found.image for found in S3Images(s3).listing(BucketPrefix(stack.images_bucket))}
    photos = {ImageRef(stack.images_bucket, f"{each.product}.jpg"): each.path for each in catalogue.photos}
    new = {image: path for image, path in photos.items() if image not in there}
    for image, path in new.items():
        s3.put_object(Bucket=image.bucket, Key=image.key, Body=path.read_bytes(), ContentType="image/jpeg")
    _wait_for(list(new), client("dynamodb", stack.endpoint_url), stack.table_name)
    return bool(new)


def _wait_for(images: list[ImageRef], dynamodb: Any, table_name: str) -> None:
    table, until_s, seen = DynamoTable(dynamodb, table_name), time.monotonic() + PATIENCE_S, 0
    with Progress("looking at the photos", total=len(images)) as progress:
        while seen < len(images):
            if time.monotonic() > until_s:
                raise RetryLater(f"{seen} of {len(images)} photos came to an end within {PATIENCE_S:,.0f} s")
            found = len(table.get_many(images))
            progress.step(found - seen)
            seen = found
            time.sleep(0.2)


def _type(*words: str) -> None:
    """Run a command line as a person would, and show it."""
    click.secho(f"$ catalog-tagger {' '.join(words)}", bold=True)
    sys.stdout.flush()
    code = catalog_tagger(list(words))
    if code:
        raise CatalogTaggerError(f"catalog-tagger {words[0]} ended with {code}")


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    try:
        run()
    except CatalogTaggerError as error:
        sys.exit(f"catalog-tagger: {error}")
