"""The small tables of a snapshot: how many images of a folder have a keyword, and what each keyword is called.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.standard_ids import Standard, StandardIds
from results_sink.export.tables import word_columns, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.coverage import Coverage
    from pipeline.keywords import Vocabulary

COVERAGE_SCHEMA = pa.schema(
    [
        ("folder", pa.string()),
        ("images", pa.int64()),
        ("with_keyword", pa.int64()),
        ("without_keyword", pa.int64()),
        ("share_with_keyword", pa.float64()),
        ("share_without_keyword", pa.float64()),
    ]
)
# A table of their own: a column of postings would repeat 674 rows in hundreds of millions (DECISIONS.md, 147).
_STANDARD_COLUMNS = {standard: f"{standard}_id" for standard in Standard}


def count_coverage(coverage: Coverage, images: Any) -> None:
    """Count rows of ``images/``, raw or final, in their order, so that equal rows give equal counts."""
    has_keyword = pc.greater(pc.list_value_length(images["keywords"]), 0)
    for name, has in zip(images["image"].to_pylist(), has_keyword.to_pylist(), strict=True):
        coverage.add(name, has_keyword=has)


def coverage_table(coverage: Coverage) -> Any:
    """Return a row for each folder, those with the most images without a keyword first."""
    rows = [
        {
            "folder": folder.folder,
            "images": folder.images,
            "with_keyword": folder.with_keyword,
            "without_keyword": folder.images - folder.with_keyword,
            "share_with_keyword": folder.share,
            "share_without_keyword": 1 - folder.share,
        }
        for folder in coverage.by_folder()
    ]
    return pa.Table.from_pylist(rows, schema=COVERAGE_SCHEMA)


def keywords_schema(languages: Sequence[str]) -> Any:
    """Return the columns of ``keywords/``, with words in these languages."""
    ids = [(name, pa.string()) for name in _STANDARD_COLUMNS.values()]
    return pa.schema([("keyword_id", pa.string()), *word_columns(languages), *ids])


def keywords_table(carried: Iterable[str], vocabulary: Vocabulary, standard_ids: StandardIds) -> Any:
    """Return a row for each keyword that an image carries, and each that a later change may bring, by id."""
    keyword_ids = sorted({*carried, *(keyword.id for keyword in vocabulary.emitted)})
    categories = [
        [standard_ids.of(keyword_id, standard, vocabulary) for keyword_id in keyword_ids]
        for standard in _STANDARD_COLUMNS
    ]
    columns = [
        pa.array(keyword_ids),
        *words_of(keyword_ids, vocabulary),
        *(pa.array(ids, pa.string()) for ids in categories),
    ]
    return pa.table(columns, schema=keywords_schema(vocabulary.languages))
