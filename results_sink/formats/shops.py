"""Keywords by product, for shops and feeds: Shopify, WooCommerce, Google Merchant Center, schema.org."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from results_sink.formats.documents import by_product, category_path, keyword_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.records import Record
    from results_sink.formats.documents import ProductKeywords

SHOPIFY_MAX_TAGS = 250  # tags a product; Shopify's limit
SHOPIFY_MAX_TAG_CHARACTERS = 255  # Shopify's limit
GOOGLE_MAX_TYPE_CHARACTERS = 750  # of product_type; Google's product data specification


@dataclass(frozen=True, slots=True)
class ShopCsv:
    """How a shop's product CSV names its columns: the product, and its tags, separated by commas."""

    name: str
    product: str
    tags: str


SHOPIFY = ShopCsv("Shopify", "Handle", "Tags")
WOOCOMMERCE = ShopCsv("WooCommerce", "SKU", "Tags")


@dataclass(frozen=True, slots=True)
class Merge:
    """How tags are merged with what the shop has.

    Attributes:
        path: the shop's own product export. All of its rows and columns are kept, and our tags are added to those that
            stand there. Without it, the file has two columns alone, and importing it replaces tags.
        prefix: stands before each of our tags. When merging, tags with this prefix that are no longer right go away;
            without a prefix nobody can tell them from the shop's own, and they stay.
    """

    path: Path | None = None
    prefix: str = ""


def shop_csv(
    records: Iterable[Record], vocabulary: Vocabulary, *, shop: ShopCsv, language: str, merge: Merge
) -> Iterator[tuple[str, str]]:
    """Yield one CSV of products with their tags, in that language.

    Raises:
        CallerError: the file to merge with lacks a column, or cannot be read.
    """
    tags = {
        product.product: [f"{merge.prefix}{_tag(name)}" for name in _names(product, vocabulary, language)]
        for product in by_product(records)
    }
    if merge.path is None:
        rows = [{shop.product: product, shop.tags: ", ".join(names)} for product, names in tags.items() if names]
        yield "products.csv", _csv([shop.product, shop.tags], rows, ",")
        return
    columns, existing = _read(merge.path, shop)
    yield "products.csv", _csv(columns, _merged(existing, tags, shop, merge.prefix), ",")


def google_supplement(records: Iterable[Record], vocabulary: Vocabulary, language: str) -> Iterator[tuple[str, str]]:
    """Yield a supplemental feed for Google Merchant Center: the id and ``product_type`` of each product, by tabs."""
    rows = []
    for product in by_product(records):
        path = category_path(product.keyword_ids(vocabulary), vocabulary, language)
        if path:
            rows.append({"id": product.product, "product_type": " > ".join(path)[:GOOGLE_MAX_TYPE_CHARACTERS]})
    yield "supplement.tsv", _csv(["id", "product_type"], rows, "\t")


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
    rows: Sequence[dict[str, str]], tags: dict[str, list[str]], shop: ShopCsv, prefix: str
) -> list[dict[str, str]]:
    """Return the rows with our tags added. Only the first row of a product carries tags, as Shopify writes it."""
    merged, seen = [], set()
    for row in rows:
        product = row[shop.product]
        if product and product not in seen and product in tags:
            seen.add(product)
            own = [tag.strip() for tag in row[shop.tags].split(",") if tag.strip()]
            kept = [tag for tag in own if not (prefix and tag.startswith(prefix))]
            known = {tag.casefold() for tag in kept}
            added = [tag for tag in tags[product] if tag.casefold() not in known]
            merged.append({**row, shop.tags: ", ".join([*kept, *added][:SHOPIFY_MAX_TAGS])})
        else:
            merged.append(row)
    return merged


def _csv(columns: Sequence[str], rows: Iterable[dict[str, str]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
