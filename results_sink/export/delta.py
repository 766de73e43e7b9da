"""Deltas as Parquet: the changed images as rows of ``images/``, each with what became of it.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results_sink.export import parquet, tables
from results_sink.export.rows import COLUMNS, SOURCES, ExportStats
from results_sink.export.tables import CHANGE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from pipeline.stream import Change

PUT, DELETED = "put", "deleted"


def delta_schema(languages: Sequence[str]) -> Any:
    """Return the columns of a delta: what became of the image, and those of ``images/``."""
    return pa.schema([(CHANGE, pa.string()), *tables.images_schema(languages)])


def write_delta(changes: Sequence[Change], path: Path, vocabulary: Vocabulary) -> None:
    """Write one row for each change; of an image that is gone only what it was called means anything."""
    gone = [change for change in changes if not change.is_there]
    census = ExportStats()
    kept = list(census.kept(change.record for change in changes if change.is_there))
    raw = tables.raw_images(kept, census.keyword_lists(kept))
    images = tables.Lexicon(list(census.numbers), vocabulary).images(raw)
    schema = delta_schema(vocabulary.languages)
    put = images.add_column(0, CHANGE, pa.array([PUT] * len(images), pa.string()))
    rows = [
        {
            CHANGE: DELETED,
            "image": str(each.observation.image),
            "product": each.observation.product,
            "revision": each.revision,
        }
        for each in (change.record for change in gone)
    ]
    writer = parquet.Writer(path, schema)
    writer.write(pa.concat_tables([put.cast(schema), pa.Table.from_pylist(rows, schema=schema)]))
    writer.close()


@dataclass(frozen=True, eq=False)
class Delta:
    """What a search needs of a delta. Rows count from 0 within it; of an image that is gone nothing is said.

    Attributes:
        table: the rows.
        images: the image of each row.
        tagged: bool [rows], which of them are tagged.
        set_codes: int32 [rows], the place in ``sets`` of each image's keywords.
        sets: the different sets of keyword ids, each joined by ``|``.
        keyword_ids: the different keywords.
        said: of each keyword on an image, by row, the place in ``keyword_ids``: int32 [said].
        said_rows: int64 [said], ascending, the row of that image.
        said_scores: float64 [said], its score.
    """

    table: Any
    images: list[str]
    tagged: NDArray[np.bool_]
    set_codes: NDArray[np.int32]
    sets: list[str]
    keyword_ids: list[str]
    said: NDArray[np.int32]
    said_rows: NDArray[np.int64]
    said_scores: NDArray[np.float64]

    @classmethod
    def of(cls, table: Any) -> Delta:
        """Return what a search needs of the rows of a delta's file."""
        lists = table["keywords"].combine_chunks()
        tags = pc.list_flatten(lists)
        ids = tags.field(0).dictionary_encode()
        return cls(
            table,
            table["image"].to_pylist(),
            pc.fill_null(pc.equal(table["status"], "tagged"), fill_value=False).to_numpy(),
            *tables.sets_of(table["keywords"]),
            ids.dictionary.to_pylist(),
            ids.indices.to_numpy(),
            pc.list_parent_indices(lists).to_numpy().astype(np.int64),
            tags.field(1).to_numpy(),
        )

    def __len__(self) -> int:
        return len(self.images)

    def shown(self, rows: Sequence[int]) -> list[parquet.Shown]:
        """Return what is shown of these images."""
        return parquet.ParquetFile.shown(self.table, rows)

    @property
    def products(self) -> list[str]:
        """The product of each image."""
        products: list[str] = self.table["product"].to_pylist()
        return products


def last_of_each(deltas: Iterable[Any]) -> Any:
    """Return of each image its last row."""
    rows = pa.concat_tables(deltas)
    last = {image: at for at, image in enumerate(rows["image"].to_pylist())}
    return rows.take(pa.array(sorted(last.values()), pa.int64())).combine_chunks()


# ---- Columns of a snapshot, compared with those of an overlay --------------------------------------------------------


def numbered(columns: Iterable[Any]) -> tuple[NDArray[np.int32], Any]:
    """Return a number for each value of columns that follow each other, and the values by their numbers."""
    whole = pa.chunked_array([chunk for column in columns for chunk in _chunks(column)], pa.string())
    coded = whole.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary


def sorted_numbers(values: Any) -> NDArray[np.int32]:
    """Return the numbers of values, which each has by its place, sorted by the values: int32 [N]."""
    numbers: NDArray[np.int32] = pc.sort_indices(values).to_numpy().astype(np.int32)
    return numbers


def without(table: Any, changed: Container[str]) -> Any:
    """Return the rows of images that did not change."""
    return table.filter(pa.array([image not in changed for image in table["image"].to_pylist()], pa.bool_()))


def only_last(table: Any, first_row: int, last_rows: Mapping[str, int]) -> Any:
    """Return of rows that are numbered from ``first_row`` those that are the last of their image."""
    images = enumerate(table["image"].to_pylist(), first_row)
    return table.filter(pa.array([last_rows[image] == row for row, image in images], pa.bool_()))


def there(changed: Any) -> Any:
    """Return the rows of images that are there."""
    return changed.filter(pc.equal(changed[CHANGE], PUT))


def raw_of(table: Any, census: ExportStats) -> Any:
    """Return rows of ``images/`` as the exporter sorts them, keywords as numbers of the census, and count them."""
    whole = table["keywords"].combine_chunks()
    tags = pc.list_flatten(whole)
    ids = tags.field(0).dictionary_encode()
    numbers = pa.array(census.numbers_of(ids.dictionary.to_pylist()), pa.int32()).take(ids.indices)
    sources = pc.index_in(tags.field(2), value_set=pa.array([str(each) for each in SOURCES])).cast(pa.int8())
    census.add(
        reasons=_counts(table.filter(pc.equal(table["status"], "rejected"))["reason"]),
        tagged=pc.sum(pc.equal(table["status"], "tagged")).as_py() or 0,
        model_versions=table["model_version"].unique().to_pylist(),
        taxonomy_versions=table["taxonomy_version"].unique().to_pylist(),
        postings=_counts(numbers),
    )
    names = ["number", "score", "source"]
    keywords = pa.StructArray.from_arrays([numbers, tags.field(1), sources], names=names)
    offsets = pc.subtract(whole.offsets, whole.offsets[0])
    columns = {column.name: table[column.name] for column in COLUMNS}
    return pa.table({**columns, "keywords": pa.ListArray.from_arrays(offsets, keywords)})


def _counts(values: Any) -> dict[Any, int]:
    return {each["values"]: each["counts"] for each in pc.value_counts(values).to_pylist()}


def _chunks(column: Any) -> list[Any]:
    return list(column.chunks) if isinstance(column, pa.ChunkedArray) else [column]
