"""The keywords of a snapshot, as rows of ``keywords/``: words, and the categories that shops and marketplaces share.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.standard_ids import Standard, StandardIds
from results_sink.export.tables import word_columns, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.keywords import Vocabulary

# A table of their own: a column of postings would repeat 674 rows in hundreds of millions (DECISIONS.md, 147).
_STANDARD_COLUMNS = {standard: f"{standard}_id" for standard in Standard}


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
