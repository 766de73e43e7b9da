"""Deltas as Parquet: the changed images as rows of ``images/``, each with what became of it.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results_sink import parquet, tables
from results_sink.hits import Hits
from results_sink.rows import COLUMNS, SOURCES, Census

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from pipeline.stream import Change

CHANGE = "change"
PUT, DELETED = "put", "deleted"


def delta_schema(languages: Sequence[str]) -> Any:
    """Return the columns of a delta: what became of the image, and those of ``images/``."""
    return pa.schema([(CHANGE, pa.string()), *tables.images_schema(languages)])


def write_delta(changes: Sequence[Change], path: Path, vocabulary: Vocabulary) -> None:
    """Write one row for each change; of an image that is gone only what it was called means anything."""
    gone = [change for change in changes if not change.is_there]
    census = Census()
    kept = list(census.kept(change.record for change in changes if change.is_there))
    raw = tables.raw_images(kept, census.keyword_lists(kept))
    images = tables.Lexicon(list(census.numbers), vocabulary).images(raw)
    schema = delta_schema(vocabulary.languages)
    put = images.add_column(0, CHANGE, pa.array([PUT] * len(images), pa.string()))
    rows = [
        {CHANGE: DELETED, "image": str(each.look.image), "product": each.look.product, "revision": each.revision}
        for each in (change.record for change in gone)
    ]
    writer = parquet.Writer(path, schema)
    writer.write(pa.concat_tables([put.cast(schema), pa.Table.from_pylist(rows, schema=schema)]))
    writer.close()


@dataclass(frozen=True, eq=False)
class Overlay:
    """What deltas lay over a snapshot. Rows count from 0 within the overlay.

    Attributes:
        names: every image that changed.
        is_there: bool [names], which of them are there now.
        table: those that are there now, a row each, in this order.
        postings: by keyword, the images that carry it.
        tagged: int64 [N], the rows of tagged images.
        set_codes: int32 [rows], the place in ``sets`` of each image's keywords.
        sets: the different sets of keyword ids, each joined by ``|``.
    """

    names: list[str]
    is_there: NDArray[np.bool_]
    table: Any
    postings: dict[str, Hits]
    tagged: NDArray[np.int64]
    set_codes: NDArray[np.int32]
    sets: list[str]

    @property
    def rows(self) -> int:
        """How many images it holds that are there."""
        return len(self.table)

    @property
    def changes(self) -> int:
        """How many images changed, those among them that are gone."""
        return len(self.names)

    def shown(self, rows: Sequence[int]) -> list[parquet.Shown]:
        """Return what is shown of these images."""
        return parquet.ParquetFile.shown(self.table, rows)

    @property
    def products(self) -> list[str]:
        """The product of each image that is there."""
        products: list[str] = self.table["product"].to_pylist()
        return products


def overlay_of(deltas: Sequence[Any]) -> Overlay:
    """Return what these deltas, the oldest first, come to: of each image its last change."""
    newest = last_of_each(deltas)
    is_there = pc.equal(newest[CHANGE], PUT)
    put = newest.filter(is_there).combine_chunks()
    codes, sets = tables.sets_of(put["keywords"])
    tagged = np.flatnonzero(pc.equal(put["status"], "tagged").to_numpy())
    names = newest["image"].to_pylist()
    return Overlay(names, is_there.to_numpy(), put, _postings(put["keywords"]), tagged, codes, sets)


def last_of_each(deltas: Iterable[Any]) -> Any:
    """Return of each image its last row."""
    rows = pa.concat_tables(deltas)
    last = {image: at for at, image in enumerate(rows["image"].to_pylist())}
    return rows.take(pa.array(sorted(last.values()), pa.int64())).combine_chunks()


def _postings(lists: Any) -> dict[str, Hits]:
    whole = lists.combine_chunks()
    rows = pc.list_parent_indices(whole).to_numpy().astype(np.int64)
    tags = pc.list_flatten(whole)
    ids, scores = tags.field(0).dictionary_encode(), tags.field(1).to_numpy()
    codes = ids.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(ids.dictionary)))
    parts = np.split(order, ends[:-1]) if len(ends) else []
    return {each: Hits(rows[part], scores[part]) for each, part in zip(ids.dictionary.to_pylist(), parts, strict=True)}


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


def without(table: Any, changed: Any) -> Any:
    """Return the rows of images that did not change."""
    return table.filter(pc.invert(pc.is_in(table["image"], value_set=changed["image"].combine_chunks())))


def there(changed: Any) -> Any:
    """Return the rows of images that are there."""
    return changed.filter(pc.equal(changed[CHANGE], PUT))


def raw_of(table: Any, census: Census) -> Any:
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
