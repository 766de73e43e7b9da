"""docs/lakes.md in a real Spark: a snapshot with deltas over it, read by the very SQL that is written there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import expressions

from pipeline.folder import FolderFiles
from pipeline.standard_ids import Standard, StandardIds
from tests.docs.fenced import ROOT, blocks_of
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import gone, rejected, small_shop, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = [block for block in blocks_of(ROOT / "docs" / "lakes.md") if block.language == "sql"]
# The view takes the highest revision, because Athena cannot read latest.json (DECISIONS.md, 120).
SPARK, ATHENA, VIEW, IDS = "Spark", "Athena and AWS Glue", "The view", "With the ids of Google and Shopify"


def below(heading: str) -> str:
    """Return the statements below a heading of the page."""
    return "".join(block.text for block in PAGE if block.heading == heading)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if shutil.which("java") is None:
        pytest.skip("there is no Java for Spark")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - it takes seconds, for this test alone

    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={folder}")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop whose export lies in the folder `export`."""
    folder = tmp_path / "export"
    folder.mkdir()
    shop = Shop(tmp_path / "work", FolderFiles(folder))
    shop.put(*small_shop())
    shop.stream.clear()
    shop.export()
    return shop


def snapshot_of(shop: Shop) -> str:
    return str(json.loads((shop.files.root / "latest.json").read_text())["snapshot"])


def run(spark: Any, shop: Shop, sql: str) -> list[Any]:
    """Run statements with the names filled in, and return the rows of the last."""
    rows: list[Any] = []
    for statement in sql.replace("EXPORT", str(shop.files.root)).replace("SNAPSHOT", snapshot_of(shop)).split(";"):
        if statement.strip():
            rows = spark.sql(statement).collect()
    return rows


def seen(spark: Any, shop: Shop) -> dict[str, dict[str, float]]:
    """Return each image's keywords, as the documented view has them."""
    for name in ("images", "deltas", "keywords"):
        spark.sql(f"DROP TABLE IF EXISTS {name}")
    run(spark, shop, below(SPARK))
    by_product = {row.product: row.photos for row in run(spark, shop, below(VIEW))}
    assert by_product["boot"] == 2
    rows = run(spark, shop, "SELECT * FROM latest")
    return {row.image: {tag.keyword_id: tag.score for tag in row.keywords or ()} for row in rows}


def expected(shop: Shop) -> dict[str, dict[str, float]]:
    """Return the same from the table."""
    records = [
        record for record in shop.table.records.values() if hasattr(record, "keywords") or hasattr(record, "reason")
    ]
    return {
        str(record.observation.image): {tag.keyword_id: tag.score for tag in getattr(record, "keywords", ())}
        for record in records
    }


@pytest.mark.slow
def test_spark_reads_what_is_true_now_with_and_without_deltas(spark: Any, shop: Shop) -> None:
    assert seen(spark, shop) == expected(shop)  # there is not even a folder of deltas

    shop.put(tagged("boot/1.jpg", "boot", sneaker=0.7), tagged("new.jpg", chair=0.8))
    shop.record()
    shop.put(tagged("boot/1.jpg", "boot", boot=0.6), gone("chair.jpg"), rejected("both.jpg"))
    shop.record()

    assert seen(spark, shop) == expected(shop)


@pytest.mark.slow
def test_spark_joins_the_ids_of_google_and_shopify(spark: Any, shop: Shop) -> None:
    ids = StandardIds({"footwear": {Standard.GOOGLE: "187"}, "boot": {Standard.SHOPIFY: "aa-8-3"}})
    shop.export(standard_ids=ids)
    seen(spark, shop)

    rows = {(row.product, row.google_id, row.shopify_id) for row in run(spark, shop, below(IDS))}

    assert ("boot", "187", "aa-8-3") in rows
    assert ("chair", None, None) in rows


@pytest.mark.slow
def test_deltas_that_a_fold_took_change_nothing_while_they_still_lie_there(spark: Any, shop: Shop) -> None:
    shop.put(tagged("boot/1.jpg", "boot", sneaker=0.7))
    shop.record()
    shop.put(tagged("boot/1.jpg", "boot", boot=0.6))
    shop.record()
    shop.fold()

    assert len(list((shop.files.root / "deltas").iterdir())) == 2
    assert seen(spark, shop) == expected(shop)


def athena_columns(table: str) -> dict[str, str]:
    """Return a table's columns and types, as the page declares them for Athena."""
    for statement in sqlglot.parse(below(ATHENA), read="athena"):
        schema = statement.this if statement else None
        if isinstance(schema, expressions.Schema) and schema.this.name == table:
            return {column.name: column.kind.sql("hive").lower() for column in schema.expressions}
    raise AssertionError(table)


def hive_type(kind: pa.DataType) -> str:
    """Return how Hive, and so Athena, calls a type of Parquet."""
    if pa.types.is_list(kind):
        return f"array<{hive_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {hive_type(field.type)}' for field in kind)}>"
    names = {"int64": "bigint", "bool": "boolean", "timestamp[us, tz=UTC]": "timestamp"}
    return names.get(str(kind), str(kind))


def test_athenas_tables_have_the_columns_and_types_of_the_files(shop: Shop) -> None:
    shop.put(tagged("new.jpg", chair=0.8))
    shop.record()
    files = {kind: f"snapshots/{snapshot_of(shop)}/{kind}/*.parquet" for kind in ("images", "keywords")}
    files["deltas"] = "deltas/*.parquet"

    for table, pattern in files.items():
        schema = pq.read_schema(next(shop.files.root.glob(pattern)))
        assert athena_columns(table) == {field.name: hive_type(field.type) for field in schema}
