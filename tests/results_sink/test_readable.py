"""What is exported is read as it is by those who read Parquet: the same rows, the same types."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.folder import FolderFiles
from results_sink.manifest import LATEST_NAME, Latest
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import gone, small_shop, tagged

if TYPE_CHECKING:
    from pathlib import Path

# What Apache Spark and Amazon Athena read without a setting: no unsigned numbers, no nanoseconds, no dictionaries.
PLAIN = {"BOOLEAN", "INT32", "INT64", "DOUBLE", "BYTE_ARRAY"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with a snapshot of the small shop, and a delta over it."""
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.put(*small_shop())
    shop.stream.clear()
    shop.export()
    shop.put(tagged("new.jpg", boot=0.99), gone("both.jpg"))
    shop.record()
    return tmp_path / "export"


@pytest.mark.parametrize("files", ["snapshots/*/images", "snapshots/*/postings", "deltas"])
def test_every_column_is_of_a_type_that_every_reader_knows(export: Path, files: str) -> None:
    for path in export.glob(f"{files}/*.parquet"):
        schema = pq.ParquetFile(path).schema
        columns = [schema.column(at) for at in range(len(schema))]

        assert {column.physical_type for column in columns} <= PLAIN
        for column in columns:
            assert "nanosecond" not in str(column.logical_type).lower()


def test_polars_reads_rows_with_their_types(export: Path) -> None:
    images = pl.read_parquet(export / "snapshots/*/images/*.parquet")
    row = images.filter(pl.col("image") == "s3://shop/boot/1.jpg").row(0, named=True)

    assert len(images) == 10
    assert images.schema["looked_at"] == pl.Datetime("us", "UTC")
    assert images.schema["revision"] == pl.Int64
    assert isinstance(row["looked_at"], datetime)
    assert row["keywords"][0]["words"]["de"] == "Cowboystiefel"
    assert row["keywords"][1] == {
        "keyword_id": "boot",
        "score": 0.9,
        "source": "model",
        "words": {"en": "boot", "de": "Stiefel", "fr": "botte", "es": "bota"},
        "synonyms": {"en": ["bootee"], "de": [], "fr": [], "es": []},
    }
    postings = pl.scan_parquet(export / "snapshots/*/postings/*.parquet")
    found = postings.filter(pl.col("words").struct.field("de") == "Stiefel").select("image", "score").collect()
    assert found.rows()[0] == ("s3://shop/boot/1.jpg", 0.9)


def test_duckdb_lays_deltas_over_a_snapshot_as_the_format_says(export: Path) -> None:
    """As it is told in docs/export.md."""
    latest = Latest.decode((export / LATEST_NAME).read_bytes(), LATEST_NAME)
    deltas = ", ".join(f"'{export / delta.name}'" for delta in latest.deltas)
    rows = duckdb.sql(
        f"""
        WITH changed AS (
            SELECT * FROM read_parquet([{deltas}], file_row_number = true, filename = true)
            QUALIFY row_number() OVER (PARTITION BY image ORDER BY filename DESC, file_row_number DESC) = 1
        ), now AS (
            SELECT image, status, keywords FROM '{export}/snapshots/{latest.snapshot}/images/*.parquet'
            WHERE image NOT IN (SELECT image FROM changed)
            UNION ALL SELECT image, status, keywords FROM changed WHERE change = 'put'
        )
        SELECT image, tag.score FROM (SELECT image, unnest(keywords) AS tag FROM now)
        WHERE tag.keyword_id = 'boot' ORDER BY tag.score DESC
        """
    ).fetchall()

    assert rows == [("s3://shop/new.jpg", 0.99), ("s3://shop/boot/1.jpg", 0.9), ("s3://shop/boot/2.jpg", 0.7)]


def test_a_row_says_where_it_comes_from(export: Path) -> None:
    rows = duckdb.sql(
        f"SELECT product, status, reason, model_version, taxonomy_version, run_id"
        f" FROM '{export}/snapshots/*/images/*.parquet' WHERE image = 's3://shop/broken.jpg'"
    ).fetchall()

    assert rows[0] == ("broken", "rejected", "corrupt", "model-1", "words-1", "run-1")
