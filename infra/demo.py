"""The main job once, for real, on this machine: ``make demo``.

Everything that a person would type is run as it would be typed, and shown with a ``$`` before it. The embedded AWS
of the demo is its own: a local stack that is up already is not touched.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
from PIL import Image

from infra.cli import main as catalog_tagger
from infra.model.npm import Npm
from infra.model.sample_catalogue import SampleCatalogue, SamplePhoto, sample_catalogue
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.colours import decided_colours
from pipeline.errors import CatalogTaggerError, RetryLater
from pipeline.keywords import Vocabulary
from pipeline.messages import UPLOAD_RUN
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.records import GoneImage, Record, RejectedImage, TaggedImage
from pipeline.settings import HOME_VARIABLE, home, model_dir
from pipeline.stack import TARGET_VARIABLE, Stack, find_stack
from pipeline.unreadable import readable
from tagging_lambda.model_card import ModelCard

SHOP = "sample-shop"  # the bucket of an existing catalogue, before the shop knew of us
UPLOADED = 14  # photos that come one by one, as new products do; the others are there already
PATIENCE_S = 120.0  # chosen by us: all is tagged in a few seconds on two cores
SEARCHES = ("footwear", "furniture", "camera")
SMALL_COPY_PIXELS = 400  # of the longer side: below what Google takes from 31 January 2027
PRICE_LIST = b"%PDF-1.7\n% a price list that somebody named .jpg\n"


@dataclass(frozen=True, slots=True)
class Demo:
    """The sample shop, and the deployed stack it is tagged by."""

    catalogue: SampleCatalogue
    stack: Stack
    s3: Any

    def existing(self) -> dict[str, bytes]:
        """Return the photos that the shop has already, by key, and its list of products."""
        photos = {_key(photo): photo.path.read_bytes() for photo in self.catalogue.photos[:-UPLOADED]}
        return {**photos, "products.csv": b"not a photo: the loader skips it by its ending\n"}

    def new(self) -> dict[str, bytes]:
        """Return the photos that come by upload, two of which are broken."""
        photos = self.catalogue.photos[-UPLOADED:]
        cut_off = photos[0].path.read_bytes()[:10_000]
        broken = {"cut-off.jpg": cut_off, "price-list.jpg": PRICE_LIST}
        return {_key(photo): photo.path.read_bytes() for photo in photos} | broken

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        """Put the objects into the bucket."""
        for key, data in objects.items():
            self.s3.put_object(Bucket=bucket, Key=key, Body=data)

    def wait_for(self, count: int) -> list[Record]:
        """Return all records, as soon as there are ``count``.

        Raises:
            RetryLater: the images did not come to their ends in time.
        """
        table = DynamoTable(client("dynamodb", self.stack.endpoint_url), self.stack.table_name)
        until_s, seen = time.monotonic() + PATIENCE_S, 0
        with Progress("looking at the photos", total=count) as progress:
            while time.monotonic() < until_s:
                records = readable(table.scan())
                progress.step(len(records) - seen)
                seen = len(records)
                if seen >= count:
                    return records
                time.sleep(0.2)
        raise RetryLater(f"{seen} of {count} images came to an end within {PATIENCE_S:,.0f} s")


def run() -> None:
    """Build the model, tag a real catalogue both ways, search it, export it, and stop all that was started.

    Raises:
        CatalogTaggerError: a step failed; its message says which and why.
    """
    started_s = time.monotonic()
    everything = home()
    _title("The model")
    catalogue = sample_catalogue(everything, Npm(), _say)
    labels = catalogue.folder / "labels.csv"
    labels.write_bytes(files("infra.model").joinpath("sample_labels.csv").read_bytes())
    _type("model", "build", *([] if _is_measured(labels) else ["--evaluate", str(labels)]))
    target = everything / "demo-export"
    shutil.rmtree(target, ignore_errors=True)
    with _own_stack(everything) as stack:
        demo = Demo(catalogue, stack, client("s3", stack.endpoint_url))
        _tag_both_ways(demo)
        _title("What customers find")
        _type("export", str(target))
        for words in SEARCHES:
            _type("search", words, "--from", str(target), "--limit", "5")
        _type("report", str(everything / "demo-report.html"), "--from", str(target))
        _show_signals(demo)
    _title("The export, for any search engine")
    _print_files(target)
    click.echo(f"\nDone in {time.monotonic() - started_s:.0f} s. What is left: the export, in {target},")
    click.echo(f"and a report to open in a browser: {everything / 'demo-report.html'}")
    say_how_to_go_on()


def say_how_to_go_on() -> None:
    """Say what to type next: the page with the same products first."""
    click.echo("To go on: make open, for the page with these products on it in your browser")
    click.echo("          .venv/bin/catalog-tagger local up, for one without; it says where its page is")
    click.echo("          README.md, for the rest")


def _tag_both_ways(demo: Demo) -> None:
    _title("Backfill: a catalogue that is there already")
    existing, new = demo.existing(), demo.new()
    demo.s3.create_bucket(Bucket=SHOP)
    demo.put(SHOP, existing)
    _type("load", f"s3://{SHOP}/")
    photos = sum(key.endswith(".jpg") for key in existing)
    demo.wait_for(photos)
    _title("Upload: new products, and two broken files")
    demo.put(demo.stack.images_bucket, new)
    _say(f"uploaded {len(new)} files to s3://{demo.stack.images_bucket}/")
    records = demo.wait_for(photos + len(new))
    _title("How every image ended")
    _print_ends(records)
    _title("The products and their keywords")
    _print_products(records)


def _show_signals(demo: Demo) -> None:
    """Upload a small copy of a photo, and show what Google refuses, which photos are the same, and the colours."""
    _title("What else the photos say: what Google refuses from 31 January 2027, duplicates, colours")
    original = demo.catalogue.photos[-1]
    copy_key = "old-site-" + _key(original)
    demo.put(demo.stack.images_bucket, {copy_key: _small_copy(original.path)})
    _say(f"uploaded {copy_key}, a small copy of {_key(original)}")
    records = demo.wait_for(len(demo.existing()) + len(demo.new()))
    uploads = f"s3://{demo.stack.images_bucket}/"
    _type("check", uploads, "--rules", "google", "--on", "2027-01-31", is_done=(0, 1))
    _type("duplicates", uploads)
    _print_colours(records)


def _small_copy(path: Path) -> bytes:
    """Return the photo as a JPEG whose longer side has ``SMALL_COPY_PIXELS``."""
    file = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((SMALL_COPY_PIXELS, SMALL_COPY_PIXELS))
        image.convert("RGB").save(file, "JPEG", quality=80)
    return file.getvalue()


def _print_colours(records: list[Record]) -> None:
    """Print the colours of each product whose photo shows them clearly."""
    tagged = [record for record in records if isinstance(record, TaggedImage)]
    lines = {record.observation.product: decided_colours(record.facts, record.decisions) for record in tagged}
    named = {product: colours for product, colours in sorted(lines.items()) if colours}
    width = max(map(len, named), default=0)
    for product, colours in named.items():
        click.echo(f"  {product:<{width}}  {', '.join(f'{colour.colour} {colour.share:.0%}' for colour in colours)}")
    click.echo(f"  no colour is named of {len(lines) - len(named)} others: a wrong one is worse than none")


def _key(photo: SamplePhoto) -> str:
    return f"{photo.product}.jpg"


def _is_measured(labels: Path) -> bool:
    """Return whether the card tells the accuracy on these photos already."""
    if not (model_dir() / CARD_NAME).exists():
        return False
    wanted = hashlib.sha256(labels.read_bytes()).hexdigest()
    return any(each.photos_sha256 == wanted for each in ModelCard.load(model_dir() / CARD_NAME).accuracy)


@contextmanager
def _own_stack(everything: Path) -> Iterator[Stack]:
    """Give a stack that nobody else uses, on an embedded AWS of its own, which ends with the demo."""
    before = dict(os.environ)
    os.environ.update(
        {"MODEL_DIR": str(model_dir()), HOME_VARIABLE: str(everything / "demo"), TARGET_VARIABLE: "local"}
    )
    try:
        _title("The deployed template, on this machine")
        _type("local", "up")
        yield find_stack()
    finally:
        _type("local", "down", "--purge")
        os.environ.clear()
        os.environ.update(before)


def _print_ends(records: list[Record]) -> None:
    runs = Counter("upload" if record.observation.run_id == UPLOAD_RUN else "backfill" for record in records)
    for ending, kind in (("tagged", TaggedImage), ("rejected", RejectedImage), ("gone", GoneImage)):
        click.echo(f"  {ending:<9} {sum(isinstance(record, kind) for record in records):>4,}")
    click.echo(f"  of these  {runs['backfill']:>4,} by backfill, {runs['upload']:,} by upload\n")
    for record in records:
        if isinstance(record, RejectedImage):
            click.echo(f"  {record.observation.image.key}  rejected: {record.reason} ({record.detail})")


def _print_products(records: list[Record]) -> None:
    nodes = Vocabulary.load().nodes
    tagged = sorted((r for r in records if isinstance(r, TaggedImage)), key=lambda record: record.observation.product)
    width = max(len(record.observation.product) for record in tagged)
    for record in tagged:
        words = ", ".join(f"{nodes[tag.keyword_id].name()} {tag.score:.2f}" for tag in record.keywords)
        click.echo(f"  {record.observation.product:<{width}}  {words or '-'}")


def _print_files(target: Path) -> None:
    sizes = {path.relative_to(target).as_posix(): path.stat().st_size for path in target.rglob("*") if path.is_file()}
    width = max(map(len, sizes))
    for name in sorted(sizes):
        click.echo(f"  {name:<{width}} {sizes[name]:>9,} bytes")


def _type(*words: str, is_done: tuple[int, ...] = (0,)) -> None:
    """Run a command line as a person would, and show it; ``is_done`` are the exit codes that are no failure."""
    shown = " ".join(word if word.replace("/", "").isalnum() or "-" in word else f"'{word}'" for word in words)
    click.secho(f"$ catalog-tagger {shown}", bold=True)
    sys.stdout.flush()
    code = catalog_tagger(list(words))
    if code not in is_done:
        raise CatalogTaggerError(f"catalog-tagger {words[0]} ended with {code}")


def _title(text: str) -> None:
    click.secho(f"\n== {text}", fg="cyan", bold=True)


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.command("demo")
def demo() -> None:
    """Tag a real catalogue both ways, search it and export it, on this machine."""
    run()
