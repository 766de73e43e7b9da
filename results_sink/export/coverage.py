"""How many images of a snapshot have a keyword, by folder, as rows of ``coverage/``.

Tables are pyarrow's own, as in ``parquet``; other modules only pass them on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pipeline.coverage import Coverage

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


def count(coverage: Coverage, images: Any) -> None:
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
