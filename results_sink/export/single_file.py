"""Images in one Parquet file: the rows of ``images/``, in the order of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.batches import batched
from results_sink.export import parquet, tables
from results_sink.export.rows import ExportStats

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.records import Record

GROUP_ROWS = 2_048  # rows that are in memory at once; as in a snapshot


def write_images(records: Iterable[Record], path: Path, vocabulary: Vocabulary) -> None:
    """Write the tagged and rejected images of these records."""
    stats = ExportStats()
    writer = parquet.Writer(path, tables.images_schema(vocabulary.languages))
    for group in batched(stats.select(records), GROUP_ROWS):
        raw = tables.raw_images(group, stats.keyword_lists(group))
        writer.write(tables.Lexicon(list(stats.numbers), vocabulary).images(raw))
    writer.close()
