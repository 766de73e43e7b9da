"""Keywords go where shops keep their products, and what is gone goes away there too."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from pipeline.memory.files import MemoryFiles
from pipeline.standard_ids import Standard, StandardIds
from results_sink.formats.documents import document_id
from results_sink.formats.write import Format, FormatOptions, write_format
from tests.results_sink.small_shop import gone, pinned, small_vocabulary, tagged

if TYPE_CHECKING:
    from pathlib import Path

IDS = StandardIds(
    {"boot": {Standard.SHOPIFY: "aa-8-3"}, "footwear": {Standard.GOOGLE: "187", Standard.SHOPIFY: "aa-8"}}
)
CATALOGUE = [
    tagged("front.jpg", "p1", boot=0.9),
    tagged("side.jpg", "p1", sandal=0.8),
    gone("old.jpg"),
    pinned("b.jpg", "boot"),
]


def written(form: Format, **options: object) -> dict[str, str]:
    """Return the files of the format, by name without their folder."""
    files = MemoryFiles()
    names = write_format(form, FormatOptions("en", IDS, **options), CATALOGUE, small_vocabulary(), files)
    return {name.removeprefix(f"{form}/"): files.files[name].decode() for name in names}


def rows_of(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def test_an_id_is_taken_by_every_engine() -> None:
    assert re.fullmatch(r"[a-z0-9]{32}", document_id("s3://shop/ü b?.jpg"))


def test_typesense_imports_documents_and_deletes_by_filter() -> None:
    files = written(Format.TYPESENSE)

    documents = [json.loads(line) for line in files["documents-00000.jsonl"].splitlines()]
    assert [document["image"] for document in documents] == [
        "s3://shop/front.jpg",
        "s3://shop/side.jpg",
        "s3://shop/b.jpg",
    ]
    assert documents[0]["id"] == document_id("s3://shop/front.jpg")
    assert documents[0]["keywords"] == ["boot", "footwear", "fashion"]
    assert files["deletions-00000.txt"] == f"id:[{document_id('s3://shop/old.jpg')}]\n"


def test_meilisearch_gets_ndjson_and_a_list_of_ids_to_delete() -> None:
    files = written(Format.MEILISEARCH)

    assert len(files["documents-00000.ndjson"].splitlines()) == 3
    assert json.loads(files["deletions-00000.json"]) == [document_id("s3://shop/old.jpg")]


def test_algolia_gets_batches_with_hierarchical_categories() -> None:
    requests = json.loads(written(Format.ALGOLIA)["batch-00000.json"])["requests"]

    assert [request["action"] for request in requests] == ["updateObject"] * 3 + ["deleteObject"]
    assert requests[0]["body"]["categories"] == {
        "lvl0": "fashion",
        "lvl1": "fashion > footwear",
        "lvl2": "fashion > footwear > boot",
    }
    assert requests[-1]["body"] == {"objectID": document_id("s3://shop/old.jpg")}


@pytest.mark.parametrize(("form", "column"), [(Format.SHOPIFY, "Handle"), (Format.WOOCOMMERCE, "SKU")])
def test_a_shop_gets_the_tags_of_all_photos_of_a_product(form: Format, column: str) -> None:
    assert rows_of(written(form)["products.csv"]) == [
        {column: "b", "Tags": "boot, footwear, fashion"},
        {column: "p1", "Tags": "boot, footwear, fashion, sandal"},
    ]


def test_shopify_gets_categories_of_those_products_alone_that_have_one() -> None:
    """An empty cell that is imported would take the category away that stands there."""
    catalogue = [*CATALOGUE, tagged("chair.jpg", chair=0.9)]
    files = MemoryFiles()
    write_format(Format.SHOPIFY, FormatOptions("en", IDS), catalogue, small_vocabulary(), files)

    assert rows_of(files.files["shopify/categories.csv"].decode()) == [
        {"Handle": "b", "Product Category": "aa-8-3"},
        {"Handle": "p1", "Product Category": "aa-8-3"},
    ]
    assert "categories.csv" not in written(Format.WOOCOMMERCE)


def test_a_category_is_written_where_the_shop_has_the_column_and_left_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "products_export.csv"
    path.write_text("Handle,Product Category,Tags\np1,,\nb,aa-8-1,\nb,,\n")

    rows = rows_of(written(Format.SHOPIFY, merge=path)["products.csv"])

    assert [row["Product Category"] for row in rows] == ["aa-8-3", "aa-8-1", ""]


def test_tags_are_added_to_those_of_the_shop_and_everything_else_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "products_export.csv"
    path.write_text('Handle,Title,Tags,Image\np1,"A, boot","sale, Boot",1.jpg\np1,,,2.jpg\nother,Hat,new,3.jpg\n')

    assert rows_of(written(Format.SHOPIFY, merge=path)["products.csv"]) == [
        {"Handle": "p1", "Title": "A, boot", "Tags": "sale, Boot, footwear, fashion, sandal", "Image": "1.jpg"},
        {"Handle": "p1", "Title": "", "Tags": "", "Image": "2.jpg"},
        {"Handle": "other", "Title": "Hat", "Tags": "new", "Image": "3.jpg"},
    ]


def test_a_prefix_tells_our_tags_from_the_shops_so_that_wrong_ones_go_away(tmp_path: Path) -> None:
    path = tmp_path / "products_export.csv"
    path.write_text('Handle,Tags\np1,"sale, photo:clog"\n')

    [row] = rows_of(written(Format.SHOPIFY, merge=path, tag_prefix="photo:")["products.csv"])

    assert row["Tags"] == "sale, photo:boot, photo:footwear, photo:fashion, photo:sandal"


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        (b"Name,Tags\na,b\n", "has no column Handle; export the products of Shopify as CSV"),
        (b"Handle,Tags\n\xff,b\n", "is not UTF-8"),
        (b"", "has no column Handle"),
    ],
)
def test_a_file_that_cannot_be_merged_with_is_named(tmp_path: Path, data: bytes, mistake: str) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(data)

    with pytest.raises(CallerError, match=mistake):
        written(Format.SHOPIFY, merge=path)


def test_google_gets_a_supplement_with_the_category_of_each_product() -> None:
    assert rows_of(written(Format.GOOGLE_MERCHANT)["supplement.tsv"], "\t") == [
        {"id": "b", "product_type": "fashion > footwear > boot", "google_product_category": "187"},
        {"id": "p1", "product_type": "fashion > footwear > boot", "google_product_category": "187"},
    ]


def test_json_ld_describes_products_as_schema_org_does() -> None:
    products = [json.loads(line) for line in written(Format.JSON_LD)["products.jsonl"].splitlines()]

    assert products[1] == {
        "@context": "https://schema.org",
        "@type": "Product",
        "productID": "p1",
        "image": ["s3://shop/front.jpg", "s3://shop/side.jpg"],
        "keywords": "boot, footwear, fashion, sandal",
        "category": "fashion > footwear > boot",
    }


def test_an_export_leaves_nothing_of_the_one_before_it() -> None:
    files = MemoryFiles()
    options = FormatOptions("en", IDS)
    write_format(Format.MEILISEARCH, options, CATALOGUE, small_vocabulary(), files)
    write_format(Format.MEILISEARCH, options, CATALOGUE[:1], small_vocabulary(), files)

    assert list(files.names()) == ["meilisearch/documents-00000.ndjson"]


@pytest.mark.parametrize("form", Format)
def test_the_same_catalogue_makes_the_same_files_whatever_its_order(form: Format) -> None:
    once = written(form)
    files = MemoryFiles()
    for catalogue in (CATALOGUE[::-1], CATALOGUE):
        write_format(form, FormatOptions("en", IDS), catalogue, small_vocabulary(), files)

    assert {name: data.decode() for name, data in files.files.items()} == {
        f"{form}/{name}": text for name, text in once.items()
    }


@pytest.mark.parametrize("prefix", ["", "photo:"])
def test_merging_with_what_was_merged_changes_nothing(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "products_export.csv"
    path.write_text("Handle,Title,Tags,Product Category\np1,Boot,sale,\np1,,,\nother,Hat,new,aa-2-17\n")
    once = written(Format.SHOPIFY, merge=path, tag_prefix=prefix)["products.csv"]
    path.write_text(once)

    assert written(Format.SHOPIFY, merge=path, tag_prefix=prefix)["products.csv"] == once
