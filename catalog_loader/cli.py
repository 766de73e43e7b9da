"""`catalog-tagger load`, `status`, `redrive`: ask for a catalogue to be tagged, and see to it that it is."""

from __future__ import annotations

import shutil
import sys
from functools import partial

import click

from catalog_loader.console import Console
from catalog_loader.estimate import IMAGE_MS

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
model_version_option = click.option(
    "--model-version",
    metavar="VERSION",
    help="The current model: images tagged by another one are stale. The one that was built here, if not given.",
)
taxonomy_version_option = click.option(
    "--taxonomy-version",
    metavar="VERSION",
    help="The current taxonomy: images tagged by another one are stale. The one of this checkout, if not given.",
)


@click.command()
@click.argument("source", metavar="s3://BUCKET/PREFIX|MANIFEST.csv")
@click.option("--run", "run_id", metavar="ID", help="The id of this run; a new one, which sorts by time, if not given.")
@click.option(
    "--only",
    type=click.Choice(["missing", "stale", "rejected"]),
    multiple=True,
    help="Send only what has no record, what changed since it was tagged (or is of another model or taxonomy), or what "
    "was rejected, to be read once more. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be sent, what that costs and takes.")
@click.option("--max-cost", "max_cost_usd", type=float, metavar="USD", help="Stop before it would cost more than this.")
@click.option(
    "--max-waiting", type=click.IntRange(min=1), metavar="N", help="Wait while about N messages wait in the queue."
)
@click.option(
    "--start-after",
    "--after",
    default="",
    metavar="KEY",
    help="Go on behind this image: s3://bucket/key, or a key of the bucket.",
)
@click.option(
    "--image-ms",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="How long the deployed function works on an image, as its log tells, for the estimates.  "
    f"[default: {IMAGE_MS:g}, twice what a core takes in `make bench`]",
)
@model_version_option
@taxonomy_version_option
@as_json_option
def load(
    *,
    source: str,
    run_id: str | None,
    only: tuple[str, ...],
    dry_run: bool,
    max_cost_usd: float | None,
    max_waiting: int | None,
    start_after: str,
    image_ms: float | None,
    model_version: str | None,
    taxonomy_version: str | None,
    as_json: bool,
) -> int:
    """Ask for a catalogue to be tagged.

    Sends a message for every image below a prefix, or in a manifest, to the backfill queue. A manifest is a CSV file
    with the column image (s3://bucket/key) and, if wanted, product. It is read to its end before anything is sent.
    Loading again does no harm: an image that did not change costs one conditional read.

    Markers of folders and files whose ending is not a picture's (.txt, .json, .mp4, ...) are skipped and counted.
    Everything else is sent, whatever its size: what cannot be tagged is recorded as rejected, with the reason.

    Exits 1 where a message could not be sent, nothing was found, or --max-cost was reached.
    """
    from catalog_loader import connect  # noqa: PLC0415 - boto3 is loaded when it runs, not for the help
    from catalog_loader.commands import run as carry_out  # noqa: PLC0415 - as above

    asked = carry_out.LoadAsked(
        source=source,
        run_id=run_id,
        only=only,
        max_cost_usd=max_cost_usd,
        max_waiting=max_waiting,
        start_after=start_after,
        image_ms=image_ms,
        versions=carry_out.current_versions(model_version, taxonomy_version),
    )
    return (carry_out.rehearse if dry_run else carry_out.load)(asked, connect.connected, console_for(as_json=as_json))


@click.command()
@click.option("--watch", is_flag=True, help="Say it anew every few seconds, in place, until stopped.")
@click.option("--ends/--no-ends", default=True, help="Count how the images ended, which reads the whole table.")
@as_json_option
def status(*, watch: bool, ends: bool, as_json: bool) -> int:
    """Say what waits, what is dead, how images ended, how fast, and what that has cost.

    The rate is of the last minute; that of images which did not change is seen by the queues alone. Where messages are
    left and nothing moves, it says why that may be. The age of the oldest message is known on AWS only.

    Exits 1 where there are dead letters.
    """
    from catalog_loader import connect  # noqa: PLC0415 - boto3 is loaded when it runs, not for the help
    from catalog_loader.commands import run as carry_out  # noqa: PLC0415 - as above

    return carry_out.status(connect.connected, console_for(as_json=as_json), watch=watch, with_ends=ends)


@click.command()
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="R",
    help="Only letters that died of this error, as it is named here: BadMessage, Undone, ... May be repeated.",
)
@as_json_option
def redrive(*, reasons: tuple[str, ...], as_json: bool) -> int:
    """Send dead letters back to their queue.

    Their images are tried again, as often as new ones are. What is kept and what goes back is told by its error; what
    the queue gave up without one is Undone. What dies while this runs is left: what can never be done would go round
    for ever.

    Exits 1 where one was not taken back, died since it began, or is hidden since somebody has received it.
    """
    from catalog_loader import connect  # noqa: PLC0415 - boto3 is loaded when it runs, not for the help
    from catalog_loader.commands import run as carry_out  # noqa: PLC0415 - as above

    return carry_out.redrive(reasons, connect.connected, console_for(as_json=as_json))


def console_for(*, as_json: bool) -> Console:
    """Return the voice of a command: to a person, or to a program."""

    def columns() -> int | None:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    return Console(as_json, click.echo, partial(click.echo, err=True), columns)
