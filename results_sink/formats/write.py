"""Writes the catalogue in the format of an engine, shop or feed, and says last which files are whole."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from results_sink.formats import engines, shops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from pipeline.records import Record
    from pipeline.standard_ids import StandardIds

    Writer = Callable[[Iterable[Record], Vocabulary], Iterator[tuple[str, str]]]


class Format(StrEnum):
    """The formats, by what reads them. OpenSearch and Elasticsearch share one."""

    TYPESENSE = "typesense"
    MEILISEARCH = "meilisearch"
    ALGOLIA = "algolia"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    GOOGLE_MERCHANT = "google-merchant"
    JSON_LD = "json-ld"


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What some of the formats take.

    Attributes:
        language: of tags and category names.
        standard_ids: the categories of keywords in the taxonomies of Google and Shopify.
        merge: a shop's own export to merge with.
        tag_prefix: what stands before each of our tags.
    """

    language: str
    standard_ids: StandardIds
    merge: Path | None = None
    tag_prefix: str = ""

    def writer(self, form: Format) -> Writer:
        """Return what writes the format."""
        tags = shops.ShopTags(self.language, self.merge, self.tag_prefix)
        language, ids = self.language, self.standard_ids
        writers: dict[Format, Writer] = {
            Format.TYPESENSE: engines.typesense,
            Format.MEILISEARCH: engines.meilisearch,
            Format.ALGOLIA: engines.algolia,
            Format.SHOPIFY: partial(shops.shop_csv, ids=ids, shop=shops.SHOPIFY, tags=tags),
            Format.WOOCOMMERCE: partial(shops.shop_csv, ids=ids, shop=shops.WOOCOMMERCE, tags=tags),
            Format.GOOGLE_MERCHANT: partial(shops.google_supplement, ids=ids, language=language),
            Format.JSON_LD: partial(shops.json_ld, language=language),
        }
        return writers[form]


def write_format(
    form: Format, options: FormatOptions, records: Iterable[Record], vocabulary: Vocabulary, files: FileStore
) -> tuple[str, ...]:
    """Write the files below a folder named for the format, remove those of an earlier export, and return the names.

    Raises:
        CallerError: the file to merge with cannot be used.
    """
    folder = f"{form}/"
    written = []
    with tempfile.TemporaryDirectory(prefix="format-") as work:
        for name, text in options.writer(form)(records, vocabulary):
            path = Path(work) / "part"
            path.write_text(text, encoding="utf-8", newline="")
            files.write(f"{folder}{name}", path)
            written.append(f"{folder}{name}")
    # Deleted last: a reader that follows the numbers of the parts never meets an old part after a new one.
    files.delete([name for name in files.names(folder) if name not in written])
    return tuple(written)
