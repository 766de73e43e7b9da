"""Deltas as Parquet: the changed images as rows of ``images/``, each with the kind of its change.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from results_sink.export import parquet, tables
from results_sink.export.manifest import RecordCounts
from results_sink.export.rows import SOURCES, ExportStats
from results_sink.export.tables import CHANGE, COLUMNS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.stream import Change

PUT, DELETED = "put", "deleted"


def delta_schema(languages: Sequence[str]) -> Any:
    """Return the columns of a delta: the kind of change, and the columns of ``images/``."""
    return pa.schema([(CHANGE, pa.string()), *tables.images_schema(languages)])


def write_delta(changes: Sequence[Change], path: Path, vocabulary: Vocabulary) -> None:
    """Write one row for each change; the row of a gone image has only its names and revision."""
    gone = [change for change in changes if not change.is_visible]
    stats = ExportStats()
    kept = list(stats.select(change.record for change in changes if change.is_visible))
    raw = tables.raw_images(kept, stats.keyword_lists(kept))
    images = tables.Lexicon(list(stats.numbers), vocabulary).images(raw)
    schema = delta_schema(vocabulary.languages)
    put = images.add_column(0, CHANGE, pa.array([PUT] * len(images), pa.string()))
    rows = [
        {
            CHANGE: DELETED,
            "image": str(record.observation.image),
            "product": record.observation.product,
            "revision": record.revision,
        }
        for record in (change.record for change in gone)
    ]
    writer = parquet.Writer(path, schema)
    writer.write(pa.concat_tables([put.cast(schema), pa.Table.from_pylist(rows, schema=schema)]))
    writer.close()


def last_of_each(deltas: Iterable[Any]) -> Any:
    """Return the last row of each image."""
    rows = pa.concat_tables(deltas, promote_options="default")  # earlier deltas have fewer columns
    last = {image: row for row, image in enumerate(rows["image"].to_pylist())}
    return rows.take(pa.array(sorted(last.values()), pa.int64())).combine_chunks()


def exclude_images(table: Any, changed: Container[str]) -> Any:
    """Return the rows of unchanged images."""
    return table.filter(pa.array([image not in changed for image in table["image"].to_pylist()], pa.bool_()))


def only_last(table: Any, first_row: int, last_rows: Mapping[str, int]) -> Any:
    """Return the rows, numbered from ``first_row``, that are the last of their image."""
    images = enumerate(table["image"].to_pylist(), first_row)
    return table.filter(pa.array([last_rows[image] == row for row, image in images], pa.bool_()))


def visible_rows(changed: Any) -> Any:
    """Return the rows of images that are not gone."""
    return changed.filter(pc.equal(changed[CHANGE], PUT))


def raw_of(table: Any, stats: ExportStats) -> Any:
    """Return rows of ``images/`` as the exporter sorts them, with keywords as numbers of the stats, and count them."""
    whole = table["keywords"].combine_chunks()
    tags = pc.list_flatten(whole)
    ids = tags.field(0).dictionary_encode()
    numbers = pa.array(stats.numbers_of(ids.dictionary.to_pylist()), pa.int32()).take(ids.indices)
    sources = pc.index_in(tags.field(2), value_set=pa.array([str(source) for source in SOURCES])).cast(pa.int8())
    tagged = pc.sum(pc.equal(table["status"], "tagged")).as_py() or 0
    rejected = _counts(table.filter(pc.equal(table["status"], "rejected"))["reason"])
    versions = (table[column].unique().to_pylist() for column in ("model_version", "taxonomy_version"))
    stats.add(RecordCounts(tagged, rejected, gone=0, undone=0), *versions)
    stats.postings.update(_counts(numbers))
    names = ["number", "score", "source"]
    keywords = pa.StructArray.from_arrays([numbers, tags.field(1), sources], names=names)
    offsets = pc.subtract(whole.offsets, whole.offsets[0])
    columns = {column.name: table[column.name] for column in COLUMNS}
    return pa.table({**columns, "keywords": pa.ListArray.from_arrays(offsets, keywords)})


def _counts(values: Any) -> dict[Any, int]:
    return {count["values"]: count["counts"] for count in pc.value_counts(values).to_pylist()}
