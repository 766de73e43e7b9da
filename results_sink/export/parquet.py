"""Files of tables: rows that wait to be merged, and Parquet, of which single row groups are read.

Tables are pyarrow's own wherever they appear; other modules only pass them on, slice and count them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadExport
from results_sink.export.rows import COLUMNS
from results_sink.export.tables import TAG_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipeline.ratings import Rating

COMPRESSION, COMPRESSION_LEVEL = "zstd", 1


def write_run(table: Any, path: Path, batch_rows: int) -> None:
    """Write rows to be read back by ``read_run``, so many at once."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(str(path), table.schema, options=options) as stream:
        stream.write_table(table, max_chunksize=batch_rows)


def read_run(path: Path) -> Iterator[Any]:
    """Yield what ``write_run`` wrote, as tables."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            yield pa.Table.from_batches([batch])


class Writer:
    """Writes one Parquet file, a row group at a time."""

    def __init__(self, path: Path, schema: Any) -> None:
        """Begin the file."""
        self._file = pq.ParquetWriter(
            str(path),
            schema,
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
            write_page_checksum=True,
            store_schema=False,  # every reader sees the same types, pyarrow too
        )

    def write(self, table: Any) -> None:
        """Write the rows as one row group."""
        self._file.write_table(table, row_group_size=max(len(table), 1))

    def close(self) -> None:
        """End the file."""
        self._file.close()


class ParquetFile:
    """One Parquet file, of which only what is asked for is read. ``row_groups_read`` counts."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its footer.

        Raises:
            BadExport: it is no Parquet file.
        """
        self._path = path
        self.row_groups_read = 0
        with self._readable():
            self._file = pq.ParquetFile(str(path), page_checksum_verification=True)

    def columns(self, required: Sequence[str], optional: Sequence[str] = ()) -> Any:
        """Return whole columns as a table, the optional ones where the file has them.

        Raises:
            BadExport: the file is damaged.
        """
        present = set(self._file.schema_arrow.names)
        names = [*required, *(name for name in optional if name in present)]
        return self._read(range(self._file.num_row_groups), names)

    def tables(self, *more: str) -> Iterator[Any]:
        """Yield what a record is made from, and further columns, a row group at a time."""
        columns = [*more, *(column.name for column in COLUMNS), *TAG_COLUMNS]
        for number in range(self._file.num_row_groups):
            yield self._read([number], columns)

    @property
    def first_image(self) -> str:
        """The first image of a file of ``images/`` that has rows."""
        return str(self._file.metadata.row_group(0).column(0).statistics.min)

    def looks(self, begin: str) -> Iterator[Iterator[tuple[str, datetime, str | None]]]:
        """Yield image, time of the look and ETag of ``images/``, by row group, from where names may reach ``begin``."""
        names = ["image", "observed_at", "etag"]
        for number in range(self._file.num_row_groups):
            if self._file.metadata.row_group(number).column(0).statistics.max >= begin:
                rows = self._read([number], names)
                yield zip(*(rows[name].to_pylist() for name in names), strict=True)

    def _read(self, row_groups: Sequence[int], columns: list[str]) -> Any:
        self.row_groups_read += len(row_groups)
        with self._readable():
            return self._file.read_row_groups(list(row_groups), columns=columns, use_threads=len(row_groups) > 1)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise BadExport(f"{self._path} is damaged: {error}") from error


def write_ratings(ratings: Iterable[Rating], path: Path) -> int:
    """Write what people said of keywords as one file, a row for each rating, and return how many there are."""
    texts = ("image", "keyword", "verdict", "model_version", "by")
    kept = sorted(ratings, key=lambda each: (each.image, each.model_version, each.keyword, each.by))
    columns = {name: pa.array([str(getattr(each, name)) for each in kept], pa.string()) for name in texts}
    moments = pa.array([each.rated_at for each in kept], pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table(columns | {"rated_at": moments}), path, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL
    )
    return len(kept)
