"""Keywords by product, for shops and feeds: Shopify, WooCommerce, Google Merchant Center, schema.org."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.standard_ids import Standard, StandardIds
from results_sink.formats.documents import ProductKeywords, by_product, category_path, keyword_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.records import Record

SHOPIFY_MAX_TAGS = 250  # tags a product; Shopify's limit
SHOPIFY_MAX_TAG_CHARACTERS = 255  # Shopify's limit
GOOGLE_MAX_TYPE_CHARACTERS = 750  # of product_type; Google's product data specification


@dataclass(frozen=True, slots=True)
class ShopCsv:
    """How a shop's product CSV names its columns: the product, its tags, separated by commas, and its category.

    The category is an id of Shopify's taxonomy; a shop that has no such column has an empty name for it.
    """

    name: str
    product: str
    tags: str
    category: str = ""


SHOPIFY = ShopCsv("Shopify", "Handle", "Tags", "Product Category")
WOOCOMMERCE = ShopCsv("WooCommerce", "SKU", "Tags")


@dataclass(frozen=True, slots=True)
class ShopTags:
    """How tags are written, and merged with what the shop has; a category that stands there stays.

    Attributes:
        language: of the tags.
        path: the shop's own product export. All of its rows and columns are kept, and our tags are added to those that
            stand there. Without it, the files have our columns alone, and importing them replaces what stands there.
        prefix: stands before each of our tags. When merging, tags with this prefix that are no longer right go away;
            without a prefix nobody can tell them from the shop's own, and they stay.
    """

    language: str
    path: Path | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class _ProductCells:
    """What we say of a product: its tags, and the id of its category in Shopify's taxonomy, or an empty text."""

    tags: list[str]
    category: str


def shop_csv(
    records: Iterable[Record], vocabulary: Vocabulary, ids: StandardIds, *, shop: ShopCsv, tags: ShopTags
) -> Iterator[tuple[str, str]]:
    """Yield a CSV of products with their tags, and one with their categories; merged with the shop's, all in one.

    Raises:
        CallerError: the file to merge with lacks a column, or cannot be read.
    """
    products = {
        product.product: _ProductCells(
            [f"{tags.prefix}{_tag(name)}" for name in _names(product, vocabulary, tags.language)],
            _standard_id(product, vocabulary, ids, Standard.SHOPIFY) if shop.category else "",
        )
        for product in by_product(records)
    }
    if tags.path is None:
        rows = [{shop.product: product, shop.tags: ", ".join(cells.tags)} for product, cells in products.items()]
        yield "products.csv", _csv([shop.product, shop.tags], [row for row in rows if row[shop.tags]], ",")
        categories = {product: cells.category for product, cells in products.items() if cells.category}
        if categories:  # a file of their own: importing an empty cell would take away the category that stands there
            rows = [{shop.product: product, shop.category: category} for product, category in categories.items()]
            yield "categories.csv", _csv([shop.product, shop.category], rows, ",")
        return
    columns, existing = _read(tags.path, shop)
    yield "products.csv", _csv(columns, _merged(existing, products, shop, tags.prefix), ",")


def google_supplement(
    records: Iterable[Record], vocabulary: Vocabulary, ids: StandardIds, *, language: str
) -> Iterator[tuple[str, str]]:
    """Yield a supplemental feed for Google Merchant Center, by tabs.

    Its columns: ``id``, ``product_type`` (the way to the keyword, in our words) and ``google_product_category`` (the
    number of Google's own category, or empty).
    """
    rows = []
    for product in by_product(records):
        path = category_path(product.keyword_ids(vocabulary), vocabulary, language)
        if path:
            rows.append(
                {
                    "id": product.product,
                    "product_type": " > ".join(path)[:GOOGLE_MAX_TYPE_CHARACTERS],
                    "google_product_category": _standard_id(product, vocabulary, ids, Standard.GOOGLE),
                }
            )
    yield "supplement.tsv", _csv(["id", "product_type", "google_product_category"], rows, "\t")


def json_ld(records: Iterable[Record], vocabulary: Vocabulary, language: str) -> Iterator[tuple[str, str]]:
    """Yield schema.org products, one JSON-LD document a line."""
    lines = []
    for product in by_product(records):
        path = category_path(product.keyword_ids(vocabulary), vocabulary, language)
        document = {
            "@context": "https://schema.org",
            "@type": "Product",
            "productID": product.product,
            "image": product.images,
            "keywords": ", ".join(_names(product, vocabulary, language)),
            "category": " > ".join(path),
        }
        lines.append(json.dumps({key: value for key, value in document.items() if value}, ensure_ascii=False) + "\n")
    yield "products.jsonl", "".join(lines)


def _names(product: ProductKeywords, vocabulary: Vocabulary, language: str) -> list[str]:
    return keyword_names(product.keyword_ids(vocabulary), vocabulary, language)[:SHOPIFY_MAX_TAGS]


def _standard_id(product: ProductKeywords, vocabulary: Vocabulary, ids: StandardIds, standard: Standard) -> str:
    """Return the category of the most specific keyword that has one, or an empty text."""
    categories = (ids.of(keyword_id, standard, vocabulary) for keyword_id in product.keyword_ids(vocabulary))
    return next((category for category in categories if category), "")


def _tag(name: str) -> str:
    return name.replace(",", " ")[:SHOPIFY_MAX_TAG_CHARACTERS]


def _read(path: Path, shop: ShopCsv) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            missing = [column for column in (shop.product, shop.tags) if column not in columns]
            if missing:
                raise CallerError(f"{path} has no column {missing[0]}; export the products of {shop.name} as CSV")
            return columns, [{column: row.get(column) or "" for column in columns} for row in reader]
    except OSError as error:
        raise CallerError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CallerError(f"{path} is not UTF-8 from its byte {error.start + 1:,} on") from error


def _merged(
    rows: Sequence[dict[str, str]], products: dict[str, _ProductCells], shop: ShopCsv, prefix: str
) -> list[dict[str, str]]:
    """Return the rows with what we say added, to the first row of a product alone, as Shopify writes it."""
    merged: list[dict[str, str]] = []
    seen: set[str] = set()
    for row in rows:
        product = row[shop.product]
        is_first = product in products and product not in seen
        seen.add(product)
        merged.append(_with_cells(row, products[product], shop, prefix) if is_first else row)
    return merged


def _with_cells(row: dict[str, str], cells: _ProductCells, shop: ShopCsv, prefix: str) -> dict[str, str]:
    """Return the row with our tags behind the shop's own, and our category where the shop has none."""
    own = [tag.strip() for tag in row[shop.tags].split(",") if tag.strip()]
    kept = [tag for tag in own if not (prefix and tag.startswith(prefix))]
    known = {tag.casefold() for tag in kept}
    added = [tag for tag in cells.tags if tag.casefold() not in known]
    category = {shop.category: cells.category} if row.get(shop.category) == "" else {}
    return {**row, shop.tags: ", ".join([*kept, *added][:SHOPIFY_MAX_TAGS]), **category}


def _csv(columns: Sequence[str], rows: Iterable[dict[str, str]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
