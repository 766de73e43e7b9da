"""Files of tables: runs that wait to be merged, and Parquet files that are read by row group.

Tables are pyarrow's own wherever they appear; other modules only pass them on, slice and count them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import BadExport
from results_sink.export.rows import COLUMNS
from results_sink.export.tables import CHANGE, TAG_COLUMNS, with_every_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.ratings import Rating

COMPRESSION, COMPRESSION_LEVEL = "zstd", 1


def write_run(batches: Iterable[Any], path: Path) -> None:
    """Write one or more tables, which ``read_run`` reads back one at a time."""
    following = iter(batches)
    first = next(following)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(str(path), first.schema, options=options) as stream:
        for batch in chain([first], following):
            stream.write_table(batch.combine_chunks())


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


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of ``images/`` as an audit compares it; ``change`` is empty unless the row is a delta's."""

    image: str
    observed_at: datetime
    etag: str | None
    revision: int
    keywords: tuple[tuple[str, float], ...]
    change: str


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """Keywords on images.

    Attributes:
        image_rows: int64 [N], rows of ``images/``.
        keyword_ids: the distinct keywords.
        codes: int32 [N], the position in ``keyword_ids`` of each keyword.
        scores: float64 [N], in [0, 1].
    """

    image_rows: NDArray[np.int64]
    keyword_ids: list[str]
    codes: NDArray[np.int32]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, image_rows: Any, keyword_ids: Any, scores: Any) -> Tags:
        """Return the tags in these columns of one length."""
        coded = keyword_ids.dictionary_encode()
        rows = image_rows.cast(pa.int64()).to_numpy()
        return cls(rows, coded.dictionary.to_pylist(), coded.indices.to_numpy(), scores.to_numpy())

    def numbered(self, numbers: Mapping[str, int]) -> NDArray[np.int64]:
        """Return the number of each keyword, -1 if it has none: int64 [N]."""
        known = np.array([numbers.get(keyword_id, -1) for keyword_id in self.keyword_ids], np.int64)
        return known[self.codes] if len(known) else np.zeros(0, np.int64)


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

    def tables(self, *more: str) -> Iterator[Any]:
        """Yield the columns that make a record, and further ones, one row group at a time."""
        columns = [*more, *(column.name for column in COLUMNS), *TAG_COLUMNS]
        for number in range(self._file.num_row_groups):
            yield with_every_column(self._read([number], columns))

    def rows(self, *more: str) -> Iterator[dict[str, Any]]:
        """Yield the columns that make a record, and further ones, as a dictionary for each row."""
        for table in self.tables(*more):
            yield from table.to_pylist()

    def row_groups(self, *names: str) -> Iterator[Any]:
        """Yield these columns as tables, one row group at a time; a column that an older export lacks is empty."""
        for number in range(self._file.num_row_groups):
            yield with_every_column(self._read([number], ["image", *names])).select(names)

    @property
    def first_image(self) -> str:
        """The first image of a file of ``images/`` that has rows."""
        return str(self._file.metadata.row_group(0).column(0).statistics.min)

    def image_rows(self, begin: str = "", *, with_change: bool = False) -> Iterator[list[ImageRow]]:
        """Yield rows of ``images/`` or a delta, by row group, from the first group that may contain ``begin``."""
        names = ["image", "observed_at", "etag", "revision"]
        for number in range(self._file.num_row_groups):
            column = [*names[:1]] + [CHANGE] * with_change
            statistics = self._file.metadata.row_group(number).column(with_change).statistics
            if not with_change and statistics.max < begin:
                continue
            table = self._read([number], [*column, *names[1:], *TAG_COLUMNS])
            changes = table[CHANGE].to_pylist() if with_change else repeat("")
            columns = (table[name].to_pylist() for name in names)
            yield [ImageRow(*row) for row in zip(*columns, _tag_pairs(table["keywords"]), changes, strict=False)]

    def image_tags(self, first_row: int) -> Iterator[Tags]:
        """Yield the keywords of ``images/``, by row group; ``first_row`` is that of the file's first image."""
        for number in range(self._file.num_row_groups):
            lists = self._read([number], [*TAG_COLUMNS])["keywords"].combine_chunks()
            tags = pc.list_flatten(lists)
            yield Tags.of(pc.add(pc.list_parent_indices(lists), first_row), tags.field(0), tags.field(1))
            first_row += len(lists)

    def posting_tags(self) -> Iterator[Tags]:
        """Yield the rows of ``postings/``, by row group."""
        for number in range(self._file.num_row_groups):
            table = self._read([number], ["image_row", "keyword_id", "score"]).combine_chunks()
            columns = (table[name].combine_chunks() for name in ("image_row", "keyword_id", "score"))
            yield Tags.of(*columns)

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


def _tag_pairs(column: Any) -> Iterator[tuple[tuple[str, float], ...]]:
    """Yield the keyword ids and scores of each row."""
    lists = column.combine_chunks()
    ids, scores = (pc.list_flatten(lists).field(number).to_pylist() for number in (0, 1))
    offsets = pc.subtract(lists.offsets, lists.offsets[0]).to_pylist()
    for begin, end in pairwise(offsets):
        yield tuple(zip(ids[begin:end], scores[begin:end], strict=True))
