"""`catalog-tagger load`, `upload`, `status`, `redrive`."""

from __future__ import annotations

from functools import partial

import click

from catalog_loader import connect
from catalog_loader.commands import load as load_command
from catalog_loader.commands import redrive as redrive_command
from catalog_loader.commands import status as status_command
from catalog_loader.commands import upload as upload_command
from catalog_loader.console import Console
from catalog_loader.estimate import IMAGE_MS
from pipeline.terminal import columns

wait_option = click.option("--wait", is_flag=True, help="Return when no message is left.")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
model_version_option = click.option(
    "--model-version",
    metavar="VERSION",
    help="The current model: images tagged by another one are stale. [default: the one built here]",
)
taxonomy_version_option = click.option(
    "--taxonomy-version",
    metavar="VERSION",
    help="The current taxonomy and heads, as records name them: images tagged by others are stale.  "
    "[default: the taxonomy of this checkout and the heads installed here]",
)


inventory_prefix_option = click.option(
    "--prefix", default="", metavar="PREFIX", help="Of an inventory, only keys that begin with this."
)


@click.command()
@click.argument("source", metavar="s3://BUCKET/PREFIX|MANIFEST|s3://.../manifest.json")
@inventory_prefix_option
@click.option("--run", "run_id", metavar="ID", help="The id of this run.  [default: a new one, which sorts by time]")
@click.option(
    "--only",
    type=click.Choice(["missing", "stale", "rejected"]),
    multiple=True,
    help="Send only images without a record, images that changed since they were tagged (or were tagged by another "
    "model or taxonomy), or rejected images, to be read once more. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing; report what would be sent, and what that costs and takes.")
@wait_option
@click.option("--max-cost", "max_cost_usd", type=float, metavar="USD", help="Stop before it would cost more than this.")
@click.option(
    "--max-waiting", type=click.IntRange(min=1), metavar="N", help="Wait while about N messages wait in the queue."
)
@click.option(
    "--start-after",
    "--after",
    default="",
    metavar="KEY",
    help="Continue after this image: s3://bucket/key, or a key of the bucket.",
)
@click.option(
    "--image-ms",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="How long the deployed function works on an image, from its log, for the estimates.  "
    f"[default: {IMAGE_MS:g}, twice what a core takes in `make bench`]",
)
@model_version_option
@taxonomy_version_option
@as_json_option
def load(
    *,
    source: str,
    prefix: str,
    run_id: str | None,
    only: tuple[str, ...],
    dry_run: bool,
    max_cost_usd: float | None,
    max_waiting: int | None,
    start_after: str,
    image_ms: float | None,
    wait: bool,
    model_version: str | None,
    taxonomy_version: str | None,
    as_json: bool,
) -> int:
    """Send a catalogue to be tagged.

    Sends a message for every image below a prefix, or in a manifest, to the backfill queue. Loading again does no harm:
    an image that did not change costs one conditional read.

    A manifest is CSV with the column image (s3://bucket/key) and, optionally, product; separated by commas, semicolons
    or tabs; in UTF-8 or UTF-16; plain or gzipped; `-` is standard input. It is checked to its end before anything is
    sent. Without a manifest the product is the key without its ending, or what the stack's ProductPattern says.

    s3://.../manifest.json is the manifest of an S3 Inventory, in CSV, Parquet or ORC: nothing is listed then. Older
    versions and delete markers are left out; what changed since the inventory was written comes right all the same.

    Folder markers and files that are no pictures by their name (.txt, .json, .mp4, .DS_Store, ...) are skipped and
    counted. Everything else is sent, whatever its size: what cannot be tagged is recorded as rejected, with the reason.

    Exits 1 if a message could not be sent, there were no images, --max-cost was reached, or, with --wait, dead letters
    are left.
    """
    if wait and dry_run:
        raise click.UsageError("--wait and --dry-run exclude each other")
    request = load_command.LoadRequest(
        source=source,
        prefix=prefix,
        run_id=run_id,
        only=only,
        max_cost_usd=max_cost_usd,
        max_waiting=max_waiting,
        start_after=start_after,
        image_ms=image_ms,
        versions=load_command.current_versions(model_version, taxonomy_version),
    )
    console = console_for(as_json=as_json)
    if dry_run:
        return load_command.rehearse(request, connect.connected, console)
    return load_command.load(request, connect.connected, console, wait=wait)


@click.command()
@click.argument("folder", metavar="FOLDER")
@click.option("--prefix", metavar="PREFIX", help="Put the photos below this prefix.  [default: the folder's name]")
@click.option("--dry-run", is_flag=True, help="Upload nothing; report what would be uploaded.")
@wait_option
@as_json_option
def upload(*, folder: str, prefix: str | None, dry_run: bool, wait: bool, as_json: bool) -> int:
    """Copy the photos of a folder into the stack's images bucket, where each is tagged as it arrives.

    Works on the local stack and on AWS, eight photos at a time. Run it again to continue: a photo whose bytes are
    already there is not sent twice. Files that are no pictures by their name are skipped and counted.

    Exits 1 if there is nothing to upload, or, with --wait, if dead letters are left.
    """
    console = console_for(as_json=as_json)
    return upload_command.upload(folder, prefix, connect.connected, console, dry_run=dry_run, wait=wait)


@click.command()
@click.option("--watch", is_flag=True, help="Report every few seconds, in place, until stopped.")
@click.option("--ends/--no-ends", default=True, help="Count the outcomes, which reads the whole table.")
@wait_option
@as_json_option
def status(*, watch: bool, ends: bool, wait: bool, as_json: bool) -> int:
    """Report the queues, dead letters, outcomes, rate and cost.

    The rate covers the last minute. If messages are left and nothing moves, the report says why that may be. The age of
    the oldest message is known on AWS only.

    Exits 1 if there are dead letters.
    """
    if watch and wait:
        raise click.UsageError("--watch and --wait exclude each other")
    console = console_for(as_json=as_json)
    return status_command.status(connect.connected, console, watch=watch, with_ends=ends, wait=wait)


@click.command()
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="R",
    help="Only letters that died of this error: BadMessage, Undone, ... May be repeated.",
)
@as_json_option
def redrive(*, reasons: tuple[str, ...], as_json: bool) -> int:
    """Send dead letters back to their queue.

    Their images are tried again, as often as new ones are. Letters are selected by the error they died of; a letter
    that the queue gave up on has no error and is called Undone. A letter that dies while this runs is left alone,
    because a message that can never succeed would circle for ever. Records that a function could not pass on are
    written once more, unchanged, so that the stream brings them again. After a day it has forgotten which they are.

    Exits 1 if a letter was not taken back, died since this began, or is hidden because somebody has received it.
    """
    return redrive_command.redrive(reasons, connect.connected, console_for(as_json=as_json))


def console_for(*, as_json: bool) -> Console:
    """Return the console of a command: for a person, or for a program."""
    return Console(as_json, click.echo, partial(click.echo, err=True), columns)
