"""What is exported is read as it is by those who read Parquet: the same rows, the same types."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.folder import FolderFiles
from pipeline.reject_reasons import RejectReason
from pipeline.vectors import FeatureVector, stack
from results_sink.connect import export_place
from results_sink.export.changes import delta_stem
from results_sink.export.exported_records import ExportedRecords
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import gone, small_shop, tagged

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
    assert images.schema["observed_at"] == pl.Datetime("us", "UTC")
    assert images.schema["revision"] == pl.Int64
    assert isinstance(row["observed_at"], datetime)
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


def query_told() -> str:
    """Return the query of docs/export.md that lays deltas over a snapshot."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    return text.split("With the deltas over it")[1].split("```sql\n")[1].split("```")[0]


def boots_by_query_told(export: Path) -> list[tuple[str, float]]:
    """Return which images are boots, by the query of docs/export.md as it stands there."""
    database = duckdb.connect()
    database.execute(f"SET file_search_path = '{export}'")
    rows = database.execute(query_told()).fetchall()
    boots = [(image, tag["score"]) for image, tags in rows for tag in tags if tag["keyword_id"] == "boot"]
    return sorted(boots, key=lambda boot: -boot[1])


def test_duckdb_lays_deltas_over_a_snapshot_as_the_format_says(export: Path) -> None:
    wanted = [("s3://shop/new.jpg", 0.99), ("s3://shop/boot/1.jpg", 0.9), ("s3://shop/boot/2.jpg", 0.7)]

    assert boots_by_query_told(export) == wanted


def test_duckdb_reads_an_export_without_deltas_by_the_same_view(tmp_path: Path) -> None:
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.put(tagged("a.jpg", boot=0.9))
    shop.export()
    shop.put()

    assert boots_by_query_told(tmp_path / "export") == [("s3://shop/a.jpg", 0.9)]


def test_an_export_comes_back_as_the_records_that_it_was_made_of(export: Path) -> None:
    records = {str(r.observation.image): r for r in ExportedRecords(export_place(str(export), {})).scan()}

    assert "s3://shop/both.jpg" not in records, "a delta says that it is gone"
    assert records["s3://shop/new.jpg"].keywords == tagged("new.jpg", boot=0.99).keywords
    assert replace(records["s3://shop/boot/1.jpg"], revision=1) == tagged(
        "boot/1.jpg", "boot", cowboy_boot=0.8, boot=0.9, footwear=0.95
    )
    assert records["s3://shop/huge.jpg"].reason is RejectReason.BYTES
    assert len(records) == 10


def test_duckdb_finds_what_looks_alike_as_the_format_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = [FeatureVector.of("0" * 12, rng.normal(size=256).astype(np.float32)) for _ in range(8)]
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.put(*(replace(tagged(f"{row}.jpg", boot=0.9), vector=vector) for row, vector in enumerate(vectors)))
    shop.export()
    text = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    query = re.sub(r"snapshots/[^/]+/", "snapshots/*/", text.split("### What looks alike")[1].split("```sql\n")[1])
    database = duckdb.connect()
    database.execute(f"SET file_search_path = '{tmp_path / 'export'}'")
    rows = database.execute(query.split("```")[0]).fetchall()

    cosines = stack(vectors)[1:] @ stack(vectors)[0]
    wanted = [(f"s3://shop/{row + 1}.jpg", pytest.approx(cosines[row], abs=1e-5)) for row in np.argsort(-cosines)[:5]]
    assert rows == wanted


def test_duckdb_takes_the_order_of_the_deltas_from_the_pointer_and_not_from_their_names(tmp_path: Path) -> None:
    """The clock of the stream went back between the two."""
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.export()
    shop.put(tagged("a.jpg", boot=0.1))
    shop.now -= timedelta(seconds=2)
    shop.put(tagged("a.jpg", boot=0.9))
    names = [shop.record(most=1).name for _ in range(2)]

    assert names == sorted(names, reverse=True)
    assert boots_by_query_told(tmp_path / "export") == shop.found("boot") == [("s3://shop/a.jpg", 0.9)]


def test_a_batch_that_comes_again_longer_is_named_behind_the_shorter_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(*(tagged(f"{number}.jpg", boot=0.5) for number in range(12)))
    batch = list(shop.stream)

    assert delta_stem(batch[:5]) < delta_stem(batch)


def test_a_row_says_where_it_comes_from(export: Path) -> None:
    rows = duckdb.sql(
        f"SELECT product, status, reason, model_version, taxonomy_version, run_id"
        f" FROM '{export}/snapshots/*/images/*.parquet' WHERE image = 's3://shop/broken.jpg'"
    ).fetchall()

    assert rows[0] == ("broken", "rejected", "corrupt", "model-1", "words-1", "run-1")
