"""Commands of this stage: export, search, show, ratings."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.errors import CallerError, RejectReason
from pipeline.keywords import LANGUAGES
from pipeline.unreadable import UnreadableItem, UnreadableItems, readable
from results_sink.formats.write import Format, FormatOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.records import Record

# What is imported inside the functions is loaded when a command runs, not for the help.

PARQUET, BULK = "parquet", "opensearch-bulk"
REASONS = tuple(str(reason) for reason in RejectReason)


@click.command()
@click.argument("place", required=False, metavar="[DIR|s3://BUCKET/PREFIX]")
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
    place: str | None, form: str, merge: Path | None, tag_prefix: str, language: str, keep: int, as_json: bool
) -> None:
    """Write all records as a snapshot of Parquet files, by default into the stack's export bucket, or for others.

    Readers see the snapshot before until this one is whole. If a newer one was published meanwhile, it stays: that is
    said, and the exit code is 1.
    """
    if merge and form not in {Format.SHOPIFY, Format.WOOCOMMERCE}:
        raise click.UsageError("--merge goes with --format shopify and --format woocommerce")
    if form == BULK:
        _export_bulk(place, as_json)
        return
    if form != PARQUET:
        _export_format(place, Format(form), FormatOptions(language, merge, tag_prefix), as_json)
        return
    from uuid import uuid4  # noqa: PLC0415 - as said above

    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from results_sink.connect import export_place, table_of_stack  # noqa: PLC0415 - as said above
    from results_sink.export.export import OVERTAKEN, Exporter  # noqa: PLC0415 - as said above
    from results_sink.report import manifest_document, manifest_text  # noqa: PLC0415 - as said above

    target = export_place(place, os.environ)
    exporter = Exporter(
        table=table_of_stack(),
        files=target.files,
        vocabulary=Vocabulary.load(),
        new_id=lambda: uuid4().hex[:8],
        kept_snapshots=keep,
    )
    with Progress("export", unit="records", quiet=as_json) as progress:
        exported = exporter.export(progress.over)
    manifest, is_published = exported.manifest, exported.is_published
    document = manifest_document(manifest, target.name) | {"published": is_published}
    text = manifest_text(manifest, target.name) + ("" if is_published else f"\n{OVERTAKEN}")
    click.echo(json.dumps(document) if as_json else text)
    if not is_published:
        raise click.exceptions.Exit(1)  # done, and it wants attention


def _export_format(place: str | None, form: Format, options: FormatOptions, as_json: bool) -> None:
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from results_sink.connect import export_place, table_of_stack  # noqa: PLC0415 - as said above
    from results_sink.formats.write import write_format  # noqa: PLC0415 - as said above

    target = export_place(place, os.environ)
    unreadable = UnreadableItems()
    with Progress("export", unit="records", quiet=as_json) as progress:
        records: Iterator[Record] = unreadable.exclude_from(progress.over(table_of_stack().scan()))
        names = write_format(form, options, records, Vocabulary.load(), target.files)
    for item in unreadable.examples:
        _warn(f"left out: the record of {item}")
    document = {"place": target.name, "format": str(form), "files": list(names), **unreadable.document()}
    click.echo(json.dumps(document) if as_json else "\n".join(f"{target.name}/{name}" for name in names))


def _export_bulk(place: str | None, as_json: bool) -> None:
    from pipeline.clock import utc_now  # noqa: PLC0415 - as said above
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from results_sink.connect import export_place, table_of_stack  # noqa: PLC0415 - as said above
    from results_sink.export.bulk import BulkExporter  # noqa: PLC0415 - as said above
    from results_sink.report import bulk_document, bulk_text  # noqa: PLC0415 - as said above

    target = export_place(place, os.environ)
    exporter = BulkExporter(table_of_stack(), target.files, Vocabulary.load(), utc_now)
    with Progress("export", unit="records", quiet=as_json) as progress:
        report = exporter.export(progress.over)
    click.echo(json.dumps(bulk_document(report, target.name)) if as_json else bulk_text(report, target.name))


@click.command()
@click.argument("query", nargs=-1, metavar="QUERY")
@click.option("--from", "place", metavar="DIR|s3://BUCKET/PREFIX", help="The export.  [default: the stack's own]")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), help="The most results shown.")
@click.option("--per-product", is_flag=True, help="One result per product, its best image, instead of one per image.")
@click.option("--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help="Your own.")
@click.option("--sort", type=click.Choice(["score", "newest", "image"]), default="score", show_default=True)
@click.option("--needs-a-look", is_flag=True, help="Only images that the machine was not sure of.")
@click.option("--source", type=click.Choice(["model", "human"]), help="Only images with a keyword from there.")
@click.option("--reason", type=click.Choice(REASONS), help="Images that were rejected for this reason; without QUERY.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
def search(  # noqa: PLR0917 - the options of the command
    query: tuple[str, ...],
    place: str | None,
    limit: int,
    per_product: bool,
    language: str,
    sort: str,
    needs_a_look: bool,
    source: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Find images by keywords, from the last export.

    \b
    footwear                       and everything below it: boots, sandals, ...
    boot sandal                    both, as boot AND sandal
    'boot OR sandal'
    'footwear AND NOT boot'
    '(boot OR clog) min:0.8'       with a score of 0.8 or more
    '"rocking chair"'              a keyword of several words
    red dress                      a colour, where the export says colours
    Schuh, chaussure, zapato       in any language; case and accents do not matter

    Words that mean nothing are left out and named. Misspelled words are read as the nearest word.
    """  # noqa: D301 - the mark is click's, and no text
    from pipeline.keyword_names import KeywordNames  # noqa: PLC0415 - as said above
    from pipeline.keywords import Source, Vocabulary  # noqa: PLC0415 - as said above
    from results_sink.connect import export_place  # noqa: PLC0415 - as said above
    from results_sink.report import answer_document, answer_text  # noqa: PLC0415 - as said above
    from results_sink.search.newest import ExportReader  # noqa: PLC0415 - as said above
    from results_sink.search.query import parse  # noqa: PLC0415 - as said above
    from results_sink.search.search import NO_FILTERS, Filters, SearchRequest, Sort  # noqa: PLC0415 - as said above
    from results_sink.search.words import QueryWords  # noqa: PLC0415 - as said above

    vocabulary = Vocabulary.load()
    text = " ".join(query)
    filters = Filters(needs_a_look or None, Source(source) if source else None, reason)
    if reason and text:
        raise CallerError("rejected images have no keywords: leave out the query, or --reason")
    may_be_empty = filters != NO_FILTERS
    parse(text, QueryWords(vocabulary).in_language(language), may_be_empty=may_be_empty)  # before any download
    target = export_place(place, os.environ)
    reader = ExportReader(target.files, target.copies, target.name, vocabulary, time.monotonic, _warn)
    request = SearchRequest(text, limit, per_product=per_product, language=language, filters=filters, sort=Sort(sort))
    answer = reader.searcher().answer(request)
    names = KeywordNames(vocabulary, language)
    unit = "product" if per_product else "image"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(json.dumps(answer_document(answer, names)) if as_json else answer_text(answer, names, unit, width))


@click.command()
@click.argument("image", required=False, metavar="[s3://BUCKET/KEY]")
@click.option("--product", metavar="ID", help="All images of a product, instead of one image.")
@click.option("--rejected", "reason", type=click.Choice(REASONS), help="The images rejected for a reason.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="The most rejected images shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def show(image: str | None, product: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """Show what is known of an image, of all images of a product, or which images were rejected for a reason."""
    from pipeline.images import ImageRef  # noqa: PLC0415 - as said above
    from pipeline.keyword_names import KeywordNames  # noqa: PLC0415 - as said above
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from results_sink.connect import table_of_stack  # noqa: PLC0415 - as said above
    from results_sink.report import record_document, record_text  # noqa: PLC0415 - as said above

    if sum(named is not None for named in (image, product, reason)) != 1:
        raise CallerError(
            "name one image, s3://bucket/key, one product, --product ID, or one reason, --rejected REASON"
        )
    if reason is not None:
        _show_rejected(RejectReason(reason), limit, as_json)
        return
    ref = None if image is None else ImageRef.parse(image)
    table = table_of_stack()
    items = list(table.get_many([ref]).values()) if ref else list(table.of_product(product or ""))
    records = readable(items)
    for item in items:
        if isinstance(item, UnreadableItem):
            _warn(f"the record of {item} cannot be read")
    if not records:
        raise CallerError(f"nothing is known of {image}" if image else f"there is no image of the product {product!r}")
    names = KeywordNames(Vocabulary.load())
    if not as_json:
        click.echo("\n\n".join(record_text(record, names) for record in records))
        return
    documents = [record_document(record, names) for record in records]
    click.echo(json.dumps(documents[0] if image else {"product": product, "images": documents}))


def _show_rejected(reason: RejectReason, limit: int, as_json: bool) -> None:
    from results_sink.connect import table_of_stack  # noqa: PLC0415 - as said above
    from results_sink.report import rejections_document, rejections_text  # noqa: PLC0415 - as said above

    unreadable = UnreadableItems()
    found = tuple(islice(unreadable.exclude_from(table_of_stack().rejected(reason)), limit + 1))
    for item in unreadable.examples:
        _warn(f"the record of {item} cannot be read")
    say = json.dumps(rejections_document(reason, found, limit)) if as_json else rejections_text(reason, found, limit)
    click.echo(say)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.parquet")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def ratings(file: Path, as_json: bool) -> None:
    """Write what people said of keywords as Parquet; `catalog-tagger evaluate --ratings` sums it up."""
    from pipeline.aws.ratings import ratings_of_stack  # noqa: PLC0415 - as said above
    from results_sink.export.parquet import write_ratings  # noqa: PLC0415 - as said above

    if not file.parent.is_dir():
        raise CallerError(f"{file} cannot be written: there is no folder {file.parent}")
    count = write_ratings(ratings_of_stack(_warn).scan(), file)
    click.echo(json.dumps({"file": str(file), "ratings": count}) if as_json else f"{count:,} ratings: {file}")


def _warn(line: str) -> None:
    click.echo(line, err=True)
