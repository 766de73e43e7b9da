"""The commands export and ratings: what is written for others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from pipeline.aws.dynamodb import table_of_stack
from pipeline.aws.ratings import ratings_of_stack
from pipeline.clock import utc_now
from pipeline.keywords import LANGUAGES, Vocabulary
from pipeline.progress import Progress
from pipeline.settings import home
from pipeline.standard_ids import OWN_NAME, StandardIds
from pipeline.terminal import warn
from pipeline.unreadable import UnreadableItems
from pipeline.whole_file import check_writable
from results_sink.connect import export_place
from results_sink.export.export import OVERTAKEN, Exporter
from results_sink.export.exported_records import ExportedRecords
from results_sink.export.parquet import write_ratings
from results_sink.formats.opensearch import BulkExporter
from results_sink.formats.write import Format, FormatOptions, write_format
from results_sink.report import bulk_document, bulk_text, manifest_document, manifest_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.records import Record
    from results_sink.export.rows import RecordSource

PARQUET, BULK = "parquet", "opensearch-bulk"


@click.command()
@click.argument("destination", required=False, metavar="[DIR|s3://BUCKET/PREFIX]")
@click.option(
    "--format",
    "form",
    type=click.Choice([PARQUET, BULK, *(form.value for form in Format)]),
    default=PARQUET,
    show_default=True,
    help="What is written: a snapshot; files for the bulk API of OpenSearch and Elasticsearch; or files for another "
    "search engine, shop or feed.",
)
@click.option(
    "--from",
    "source",
    metavar="DIR|s3://BUCKET/PREFIX",
    help="Write what this export holds, such as the folder of `tag -o`.  [default: the stack's records]",
)
@click.option(
    "--merge",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PRODUCTS.csv",
    help="The shop's own product export (shopify, woocommerce): tags are added to those in it, all else is kept.",
)
@click.option("--tag-prefix", default="", metavar="TEXT", help="Put this before each tag, such as photo:.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help="The language of tags."
)
@click.option("--keep", default=3, show_default=True, type=click.IntRange(1), help="Snapshots kept, with this one.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def export(  # noqa: PLR0917 - one for each option
    destination: str | None,
    form: str,
    source: str | None,
    merge: Path | None,
    tag_prefix: str,
    language: str,
    keep: int,
    as_json: bool,
) -> None:
    """Write all records as a snapshot of Parquet files, by default into the stack's export bucket, or for others.

    Readers see the snapshot before until this one is whole. If a newer one was published meanwhile, it stays: that is
    said, and the exit code is 1.
    """
    _check_options(destination, form, source, merge)
    records = ExportedRecords(export_place(source, os.environ)) if source else table_of_stack()
    if form == BULK:
        _export_bulk(records, destination, as_json)
        return
    if form != PARQUET:
        options = FormatOptions(language, StandardIds.load(home() / OWN_NAME), merge, tag_prefix)
        _export_format(records, destination, Format(form), options, as_json)
        return

    _export_snapshot(records, destination, keep, as_json)


def _check_options(destination: str | None, form: str, source: str | None, merge: Path | None) -> None:
    if merge and form not in {Format.SHOPIFY, Format.WOOCOMMERCE}:
        raise click.UsageError("--merge goes with --format shopify and --format woocommerce")
    if source and not destination:
        raise click.UsageError("say where to write: catalog-tagger export DIR --from EXPORT")


def _export_snapshot(source: RecordSource, destination: str | None, keep: int, as_json: bool) -> None:
    target = export_place(destination, os.environ)
    exporter = Exporter(
        table=source,
        files=target.files,
        vocabulary=Vocabulary.load(),
        new_id=lambda: uuid4().hex[:8],
        kept_snapshots=keep,
        standard_ids=StandardIds.load(home() / OWN_NAME),
    )
    with Progress("export", unit="records", quiet=as_json) as progress:
        exported = exporter.export(progress.over)
    manifest, is_published = exported.manifest, exported.is_published
    document = manifest_document(manifest, target.name) | {"published": is_published}
    text = manifest_text(manifest, target.name) + ("" if is_published else f"\n{OVERTAKEN}")
    click.echo(json.dumps(document) if as_json else text)
    if not is_published:
        raise click.exceptions.Exit(1)  # done, and it wants attention


def _export_format(
    source: RecordSource, destination: str | None, form: Format, options: FormatOptions, as_json: bool
) -> None:
    target = export_place(destination, os.environ)
    unreadable = UnreadableItems()
    with Progress("export", unit="records", quiet=as_json) as progress:
        records: Iterator[Record] = unreadable.exclude_from(progress.over(source.scan()))
        names = write_format(form, options, records, Vocabulary.load(), target.files)
    for item in unreadable.examples:
        warn(f"left out: the record of {item}")
    document = {"place": target.name, "format": str(form), "files": list(names), **unreadable.document()}
    click.echo(json.dumps(document) if as_json else "\n".join(f"{target.name}/{name}" for name in names))


def _export_bulk(source: RecordSource, destination: str | None, as_json: bool) -> None:
    target = export_place(destination, os.environ)
    exporter = BulkExporter(source, target.files, Vocabulary.load(), utc_now)
    with Progress("export", unit="records", quiet=as_json) as progress:
        report = exporter.export(progress.over)
    click.echo(json.dumps(bulk_document(report, target.name)) if as_json else bulk_text(report, target.name))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.parquet")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def ratings(file: Path, as_json: bool) -> None:
    """Write what people said of keywords as Parquet; `catalog-tagger evaluate --ratings` sums it up."""
    check_writable(file)
    count = write_ratings(ratings_of_stack(warn).scan(), file)
    click.echo(json.dumps({"file": str(file), "ratings": count}) if as_json else f"{count:,} ratings: {file}")
