"""Inventories in the shape that the Amazon S3 User Guide describes, in the three formats that S3 writes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pyarrow as pa
from pyarrow import orc, parquet

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST = "shop/daily/2026-11-26T01-00Z/manifest.json"
MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)
CSV_COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
ARROW_COLUMNS = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag")
FEW = 1000  # rows, up to which a file still has several row groups
PARQUET_SCHEMA = (
    "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); optional int64 size; "
    "optional int64 last_modified_date (TIMESTAMP_MILLIS); optional binary e_tag (UTF8); }"
)
ORC_SCHEMA = "struct<bucket:string,key:string,size:bigint,last_modified_date:timestamp,e_tag:string>"


@dataclass(frozen=True)
class Listed:
    """One row of an inventory. A delete marker has neither size nor ETag."""

    key: str
    etag: str | None = "0a0b"
    size: int | None = 5
    modified_at: datetime = MODIFIED_AT
    is_latest: bool = True
    is_delete_marker: bool = False


def inventory_objects(
    *files: Sequence[Listed], file_format: str = "CSV", versioned: bool = False, facts: bool = True, **changes: Any
) -> dict[str, bytes]:
    """Return the objects of an inventory of the bucket ``shop``, by their keys in the bucket ``lists``.

    ``versioned`` lists all versions; without ``facts`` there are no sizes, times and ETags. ``changes`` are made to
    the manifest.
    """
    dropped = (() if versioned else ("versionid", "islatest", "isdeletemarker")) + (
        () if facts else ("size", "lastmodifieddate", "etag")
    )
    plain = [name.lower() for name in CSV_COLUMNS]
    kept = [index for index, name in enumerate(plain) if name not in dropped]
    ending = {"CSV": "csv.gz", "Parquet": "parquet", "ORC": "orc"}[file_format]
    objects: dict[str, bytes] = {}
    for number, rows in enumerate(files):
        objects[f"shop/daily/data/{number}.{ending}"] = _write(file_format, rows, kept)
    schema = {"CSV": ", ".join(CSV_COLUMNS[index] for index in kept), "Parquet": PARQUET_SCHEMA, "ORC": ORC_SCHEMA}
    manifest = {
        "sourceBucket": "shop",
        "destinationBucket": "arn:aws:s3:::lists",
        "version": "2016-11-30",
        "creationTimestamp": "1764118800000",
        "fileFormat": file_format,
        "fileSchema": schema[file_format],
        "files": [
            {"key": key, "size": len(data), "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest()}
            for key, data in objects.items()
        ],
    }
    return objects | {MANIFEST: json.dumps(manifest | changes).encode()}


def _write(file_format: str, rows: Sequence[Listed], kept: Sequence[int]) -> bytes:
    if file_format == "CSV":
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for row in rows:
            cells = _texts(row)
            writer.writerow([cells[index] for index in kept])
        return gzip.compress(text.getvalue().encode())
    table = pa.Table.from_pylist([_values(row, file_format) for row in rows])
    table = table.select([ARROW_COLUMNS[index] for index in kept])
    file = io.BytesIO()
    if file_format == "Parquet":
        parquet.write_table(table, file, compression="snappy", row_group_size=2 if len(rows) < FEW else None)
    else:
        orc.write_table(table, file, compression="zlib")
    return file.getvalue()


def _texts(row: Listed) -> list[str]:
    modified = row.modified_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    flags = [str(row.is_latest).lower(), str(row.is_delete_marker).lower()]
    size = "" if row.size is None else str(row.size)
    return ["shop", quote_plus(row.key, safe="/"), "v1", *flags, size, modified, row.etag or ""]


def _values(row: Listed, file_format: str) -> dict[str, Any]:
    # Parquet says that its times are in UTC; ORC has no time zones.
    modified = row.modified_at if file_format == "Parquet" else row.modified_at.replace(tzinfo=None)
    values = ("shop", row.key, "v1", row.is_latest, row.is_delete_marker, row.size, modified, row.etag)
    return dict(zip(ARROW_COLUMNS, values, strict=True))
