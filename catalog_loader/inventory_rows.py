"""Reads the files of an S3 Inventory, row by row: CSV, Parquet and ORC."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pyarrow as pa
from pyarrow import orc, parquet

from pipeline.errors import CallerError

BATCH_ROWS = 8192  # turned into Python's values at a time; chosen by us: a few megabytes
KEY, IS_LATEST, IS_DELETE_MARKER = "key", "islatest", "isdeletemarker"
SIZE, MODIFIED, ETAG = "size", "lastmodifieddate", "etag"
COLUMNS = (KEY, IS_LATEST, IS_DELETE_MARKER, SIZE, MODIFIED, ETAG)


class InventoryFormat(StrEnum):
    """The formats that S3 Inventory writes, as its manifest names them."""

    CSV = "CSV"
    PARQUET = "Parquet"
    ORC = "ORC"


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One object, or one version of it. Of what the inventory does not list, None.

    ``etag`` stands in quotes, as S3 answers it. ``is_current`` is false for older versions and for delete markers.
    """

    key: str
    is_current: bool
    size_bytes: int | None
    modified_at: datetime | None
    etag: str | None


def read_rows(path: Path, file_format: InventoryFormat, columns: Sequence[str]) -> Iterator[InventoryRow]:
    """Yield the rows of a file; ``columns`` are those of a CSV file, which has no header.

    Raises:
        CallerError: the file is damaged, or it has no column of keys.
    """
    try:
        if file_format is InventoryFormat.CSV:
            for cells in _csv_rows(path, columns):
                yield _row_of_texts(cells)
        else:
            for values in _arrow_rows(path, file_format):
                yield _row(values)
    except (pa.ArrowException, csv.Error, zlib.error, OSError, EOFError, ValueError) as error:
        raise CallerError(f"is no inventory in {file_format}: {error}") from error


def _plain(column: str) -> str:
    """Return the column's name as one spelling: ``LastModifiedDate`` in CSV is ``last_modified_date`` elsewhere."""
    return column.replace("_", "").casefold()


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    names = [_plain(column) for column in columns]
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for cells in csv.reader(lines, strict=True):
            yield dict(zip(names, cells, strict=True))


def _row_of_texts(cells: Mapping[str, str]) -> InventoryRow:
    """Return the row of a CSV file, where keys are encoded like a form and what is not known is empty."""
    values: dict[str, Any] = {name: cells.get(name) or None for name in COLUMNS}
    return _row(
        {
            KEY: unquote_plus(_key(cells), errors="strict"),
            IS_LATEST: (values[IS_LATEST] or "true").casefold() == "true",
            IS_DELETE_MARKER: (values[IS_DELETE_MARKER] or "").casefold() == "true",
            SIZE: None if values[SIZE] is None else int(values[SIZE]),
            MODIFIED: None if values[MODIFIED] is None else datetime.fromisoformat(values[MODIFIED]),
            ETAG: values[ETAG],
        }
    )


def _arrow_rows(path: Path, file_format: InventoryFormat) -> Iterator[dict[str, Any]]:
    for batch in _batches(path, file_format):
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            lists = {_plain(name): _values(part.column(name)) for name in part.schema.names}
            yield from (dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True))


def _batches(path: Path, file_format: InventoryFormat) -> Iterator[pa.RecordBatch]:
    """Yield the columns that are read, a row group of Parquet or a stripe of ORC in memory at a time."""
    if file_format is InventoryFormat.PARQUET:
        with parquet.ParquetFile(path) as table:
            wanted = [name for name in table.schema_arrow.names if _plain(name) in COLUMNS]
            yield from table.iter_batches(BATCH_ROWS, columns=wanted)
        return
    file = orc.ORCFile(path)
    wanted = [name for name in file.schema.names if _plain(name) in COLUMNS]
    for stripe in range(file.nstripes):
        yield file.read_stripe(stripe, columns=wanted)


def _values(column: pa.Array) -> list[Any]:
    # Both formats count from 1970 in UTC; ORC's nanoseconds would not fit into Python's times.
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC"), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _row(values: Mapping[str, Any]) -> InventoryRow:
    modified_at, etag = values.get(MODIFIED), values.get(ETAG)
    return InventoryRow(
        key=_key(values),
        is_current=values.get(IS_LATEST) is not False and not values.get(IS_DELETE_MARKER),
        size_bytes=values.get(SIZE),
        modified_at=None if modified_at is None else modified_at.astimezone(UTC),
        etag=None if etag is None else f'"{etag}"',
    )


def _key(values: Mapping[str, Any]) -> str:
    if not values.get(KEY):
        raise CallerError("a row has no key")
    return str(values[KEY])
