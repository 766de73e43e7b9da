"""The command show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

import click

from pipeline.aws.dynamodb import table_of_stack
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import Vocabulary
from pipeline.model_version import class_names_in
from pipeline.records import Record, RecordStatus
from pipeline.reject_reasons import RejectReason
from pipeline.settings import model_dir
from pipeline.terminal import warn
from pipeline.unreadable import UnreadableItem, UnreadableItems, readable
from results_sink.report import (
    gone_document,
    gone_text,
    record_document,
    record_text,
    rejections_document,
    rejections_text,
)

REASONS = tuple(str(reason) for reason in RejectReason)


@click.command()
@click.argument("image", required=False, metavar="[s3://BUCKET/KEY]")
@click.option("--product", metavar="ID", help="All images of a product, instead of one image.")
@click.option("--rejected", "reason", type=click.Choice(REASONS), help="The images rejected for a reason.")
@click.option("--gone", is_flag=True, help="The images that were asked for, or were there, and are not.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="The most of them shown.")
@click.option("--language", default="en", show_default=True, help="Of the keywords: en, de, fr, es, or the shop's own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def show(  # noqa: PLR0913 - one parameter for each option
    *,
    image: str | None,
    product: str | None,
    reason: str | None,
    gone: bool,
    limit: int,
    language: str,
    as_json: bool,
) -> None:
    """Show what is known of an image, of all images of a product, or which images were rejected, or are gone.

    --gone reads the whole table, as `catalog-tagger status` does.
    """
    if sum(named is not None for named in (image, product, reason)) + gone != 1:
        raise CallerError(
            "name one image, s3://bucket/key, one product, --product ID, one reason, --rejected REASON, or --gone"
        )
    if gone:
        _show_gone(limit, as_json)
        return
    if reason is not None:
        _show_rejected(RejectReason(reason), limit, as_json)
        return
    records = _product_records(product) if image is None else _image_records(image)
    names = KeywordNames.in_language(Vocabulary.load(), language)
    if not as_json:
        click.echo("\n\n".join(record_text(record, names, _class_names(record)) for record in records))
        return
    documents = [record_document(record, names, _class_names(record)) for record in records]
    click.echo(json.dumps(documents[0] if image else {"product": product, "images": documents}))


def _class_names(record: Record) -> dict[int, str]:
    """Return the names of the classes, where the model that looked is the one of this machine."""
    return class_names_in(model_dir(), record.observation.model_version)


def _image_records(image: str) -> list[Record]:
    ref = ImageRef.parse(image)
    records = _readable_records(table_of_stack().get_many([ref]).values())
    if not records:
        raise CallerError(f"nothing is known of {image}")
    return records


def _product_records(product: str | None) -> list[Record]:
    records = _readable_records(table_of_stack().of_product(product or ""))
    if not records:
        raise CallerError(f"there is no image of the product {product!r}")
    return records


def _readable_records(stored: Iterable[Record | UnreadableItem]) -> list[Record]:
    """Return the records that can be read, and warn of the others."""
    items = list(stored)
    for item in items:
        if isinstance(item, UnreadableItem):
            warn(f"the record of {item} cannot be read")
    return readable(items)


def _show_gone(limit: int, as_json: bool) -> None:
    unreadable = UnreadableItems()
    summaries = unreadable.exclude_from(table_of_stack().summaries())
    tombstones = (summary for summary in summaries if summary.kind is RecordStatus.GONE)
    first = tuple(islice(tombstones, limit + 1))
    _warn_of(unreadable)
    click.echo(json.dumps(gone_document(first, limit)) if as_json else gone_text(first, limit))


def _show_rejected(reason: RejectReason, limit: int, as_json: bool) -> None:
    unreadable = UnreadableItems()
    rejections = tuple(islice(unreadable.exclude_from(table_of_stack().rejected(reason)), limit + 1))
    _warn_of(unreadable)
    if as_json:
        click.echo(json.dumps(rejections_document(reason, rejections, limit)))
    else:
        click.echo(rejections_text(reason, rejections, limit))


def _warn_of(unreadable: UnreadableItems) -> None:
    for item in unreadable.examples:
        warn(f"the record of {item} cannot be read")
