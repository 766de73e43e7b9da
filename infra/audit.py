"""`catalog-tagger audit`: what the loader finds and what is recorded, held against what the sink has exported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from catalog_loader import connect
from catalog_loader.cli import as_json_option, console_for, model_version_option, taxonomy_version_option
from catalog_loader.commands import audit as audit_command
from catalog_loader.commands.load import current_versions
from pipeline.errors import CallerError

if TYPE_CHECKING:
    from pipeline.ports import ExportedImages


@click.command()
@click.argument("place", metavar="s3://BUCKET/PREFIX")
@click.option("--enqueue", is_flag=True, help="Send a message for every image that is missing, stale or orphaned.")
@click.option("--wait", is_flag=True, help="Begin when no message waits any more.")
@click.option("--export", "export_place", metavar="DIR|s3://...", help="The export.  [default: the stack's own]")
@click.option("--no-export", is_flag=True, help="Leave the export out.")
@model_version_option
@taxonomy_version_option
@as_json_option
def audit(  # noqa: PLR0913 - one for each option
    *,
    place: str,
    enqueue: bool,
    wait: bool,
    export_place: str | None,
    no_export: bool,
    model_version: str | None,
    taxonomy_version: str | None,
    as_json: bool,
) -> int:
    """Prove that no image was lost.

    Holds every image below a prefix against its record, every record against the bucket, and every record against the
    latest export. An orphan is a record whose image is no longer there. Dead letters are read and let go. Waiting
    messages are only counted, since reading one counts as a failure of its image: audit again when none waits.

    An export tells what was recorded when it began. What was looked at since is counted, and no gap; what was looked
    at before, and is not in it as it was recorded, is one. So is an image in it that was gone before it began. Where
    nothing was exported yet, nothing is held against it.

    Exits 1 where anything is dead-lettered, missing, stale, orphaned, or wrong in the export, or where dead letters are
    hidden since somebody has received them.
    """
    if export_place and no_export:
        raise CallerError("--export and --no-export exclude each other")

    def exported() -> ExportedImages | None:
        return None if no_export else _exported(export_place)

    return audit_command.audit(
        place,
        current_versions(model_version, taxonomy_version),
        connect.connected,
        console_for(as_json=as_json),
        enqueue=enqueue,
        wait=wait,
        exported=exported,
    )


def _exported(named: str | None) -> ExportedImages | None:
    from results_sink.connect import export_place  # noqa: PLC0415 - pyarrow is loaded when it runs, not for the help
    from results_sink.export.exported_images import exported_images  # noqa: PLC0415 - as above

    found = exported_images(export_place(named, os.environ))
    if found is None and named:
        raise CallerError(f"{named} holds no export")
    return found
