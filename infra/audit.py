"""`catalog-tagger audit`: compares bucket and records with the export, and the export with itself."""

from __future__ import annotations

import os

import click

from catalog_loader import connect
from catalog_loader.cli import (
    as_json_option,
    console_for,
    inventory_prefix_option,
    model_version_option,
    taxonomy_version_option,
)
from catalog_loader.commands import audit as audit_command
from catalog_loader.commands.load import current_versions
from pipeline.errors import CallerError
from pipeline.exported import OpenedExport
from pipeline.images import SCHEME
from results_sink.connect import export_place
from results_sink.export.exported_images import exported_images
from results_sink.export.verify import ExportVerifier


@click.command()
@click.argument("source", metavar="s3://BUCKET/PREFIX|MANIFEST|s3://.../manifest.json")
@inventory_prefix_option
@click.option("--enqueue", is_flag=True, help="Send a message for every image that is missing, stale or orphaned.")
@click.option("--wait", is_flag=True, help="Start when no message is waiting any more.")
@click.option("--export", "export_place", metavar="DIR|s3://...", help="The export.  [default: the stack's own]")
@click.option("--no-export", is_flag=True, help="Do not check the export.")
@click.option("--deep", is_flag=True, help="Read every file of the export, even those whose size and ETag are right.")
@model_version_option
@taxonomy_version_option
@as_json_option
def audit(  # noqa: PLR0913 - one for each option
    *,
    source: str,
    prefix: str,
    enqueue: bool,
    wait: bool,
    export_place: str | None,
    no_export: bool,
    deep: bool,
    model_version: str | None,
    taxonomy_version: str | None,
    as_json: bool,
) -> int:
    """Prove that no image was lost.

    Compares every image below a prefix with its record, every record with the bucket, and every record with what
    searches see. An orphan is a record whose image no longer exists. Dead letters are read and released. Waiting
    messages are only counted, because reading one counts as a failure of its image: audit again when none is waiting.

    Every file of the export that searches read is checked against the file that lists it: by size and ETag, with --deep
    by content. Then the keywords of the export and its deltas are compared with those of the table. Images observed in
    the last minute are counted but not compared; other differences get some seconds to reach the export.

    For a manifest, each image that it names is compared with its record and its object. An image is absent if no bucket
    holds it. Other images, other records and the export are not checked.

    s3://.../manifest.json is the manifest of an S3 Inventory, which replaces the listing. It is a day or a week old, so
    each image that seems to have a gap is checked in the bucket itself.

    Exits with 1 if anything is dead-lettered, missing, stale, orphaned, absent, or wrong or damaged in the export, or
    if dead letters are hidden because somebody has received them.
    """
    if export_place and no_export:
        raise CallerError("--export and --no-export exclude each other")
    if (export_place or deep) and not source.startswith(SCHEME):
        raise CallerError("a manifest is not compared with the export; leave --export and --deep out")

    def exported() -> OpenedExport | None:
        return None if no_export else _open_export(export_place, is_deep=deep)

    return audit_command.audit(
        source,
        current_versions(model_version, taxonomy_version),
        connect.connected,
        console_for(as_json=as_json),
        prefix=prefix,
        enqueue=enqueue,
        wait=wait,
        exported=exported,
    )


def _open_export(named: str | None, *, is_deep: bool) -> OpenedExport:
    prefix = export_place(named, os.environ)
    damages = tuple(ExportVerifier(prefix, is_deep).damages())
    if any(damage.stops_search for damage in damages):
        return OpenedExport(None, damages)
    images = exported_images(prefix, is_followed=named is None)
    if images is None and named:
        raise CallerError(f"there is no export at {named}")
    return OpenedExport(images, damages)
