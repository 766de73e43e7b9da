"""Files of tables: runs that wait to be merged, and Parquet files that are read by row group.

Tables are pyarrow's own wherever they appear; other modules only pass them on, slice and count them.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import BadExport
from results_sink.export.tables import RECORD_COLUMNS, TAG_COLUMNS, with_every_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.ratings import Rating

    # Keywords on images: rows of images/, numbers of keywords, -1 for an unknown one, and scores in [0, 1].
    Tags = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]

COMPRESSION, COMPRESSION_LEVEL = "zstd", 1


def write_run(batches: Iterable[Any], path: Path) -> int:
    """Write one or more tables, which ``read_run`` reads back one at a time, and return how many rows they have."""
    following = iter(batches)
    first = next(following)
    options, rows = pa.ipc.IpcWriteOptions(compression="lz4"), 0
    with pa.ipc.new_stream(str(path), first.schema, options=options) as stream:
        for batch in chain([first], following):
            stream.write_table(batch.combine_chunks())
            rows += len(batch)
    return rows


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
            store_schema=False,  # every reader, pyarrow included, sees the same types
        )

    def write(self, table: Any) -> None:
        """Write the rows as one row group."""
        self._file.write_table(table, row_group_size=max(len(table), 1))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class ParquetFile:
    """One Parquet file, read only as far as needed. ``row_groups_read`` counts the row groups."""

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
        """Return whole columns as a table, the optional ones if the file has them.

        Raises:
            BadExport: the file is damaged.
        """
        present = set(self._file.schema_arrow.names)
        names = [*required, *(name for name in optional if name in present)]
        return self._read(range(self._file.num_row_groups), names)

    def row_groups(self, columns: Sequence[str] = RECORD_COLUMNS, begin: str = "") -> Iterator[Any]:
        """Yield these columns as tables, one row group at a time; a column that an older export lacks is empty.

        With ``begin``, those groups of ``images/`` are left out that end before an image of this name.
        """
        paths = [path for name in columns for path in (TAG_COLUMNS if name == "keywords" else (name,))]
        for number in range(self._file.num_row_groups):
            if not begin or self._file.metadata.row_group(number).column(0).statistics.max >= begin:
                yield with_every_column(self._read([number], paths)).select(columns)

    def rows(self, columns: Sequence[str] = RECORD_COLUMNS, begin: str = "") -> Iterator[dict[str, Any]]:
        """Yield the rows of ``row_groups`` as dictionaries."""
        for table in self.row_groups(columns, begin):
            yield from table.to_pylist()

    @property
    def first_image(self) -> str:
        """The first image of a file of ``images/`` that has rows."""
        return str(self._file.metadata.row_group(0).column(0).statistics.min)

    def image_tags(self, keyword_ids: Sequence[str], first_row: int) -> Iterator[Tags]:
        """Yield the keywords of ``images/``, by row group; ``first_row`` is that of the file's first image."""
        for table in self.row_groups(["keywords"]):
            lists = table["keywords"].combine_chunks()
            tags = pc.list_flatten(lists)
            rows = pc.add(pc.list_parent_indices(lists), first_row)
            yield _tags(rows, tags.field(0), tags.field(1), keyword_ids)
            first_row += len(lists)

    def posting_tags(self, keyword_ids: Sequence[str]) -> Iterator[Tags]:
        """Yield the rows of ``postings/``, by row group."""
        for table in self.row_groups(["image_row", "keyword_id", "score"]):
            rows, ids, scores = (column.combine_chunks() for column in table.columns)
            yield _tags(rows, ids, scores, keyword_ids)

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
    """Write people's ratings of keywords as one file, a row for each, and return how many there are."""
    texts = ("image", "keyword", "verdict", "model_version", "by")
    kept = sorted(ratings, key=lambda rating: (rating.image, rating.model_version, rating.keyword, rating.by))
    columns = {name: pa.array([str(getattr(rating, name)) for rating in kept], pa.string()) for name in texts}
    moments = pa.array([rating.rated_at for rating in kept], pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table(columns | {"rated_at": moments}), path, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL
    )
    return len(kept)


def _tags(rows: Any, ids: Any, scores: Any, keyword_ids: Sequence[str]) -> Tags:
    numbers = pc.fill_null(pc.index_in(ids, pa.array(keyword_ids, pa.string())), -1)
    return rows.cast(pa.int64()).to_numpy(), numbers.to_numpy(), scores.to_numpy()
