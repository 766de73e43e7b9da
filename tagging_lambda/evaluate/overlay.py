"""Writes thresholds and words into a shop's taxonomy overlay; everything else in the file stays."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.taxonomy_file import ID, PARENTS, THRESHOLD, USE
from pipeline.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipeline.keywords import Keyword


def write_thresholds(path: Path, thresholds: Mapping[str, float]) -> int:
    """Write these thresholds to the file, and return its new number of rows.

    Raises:
        CallerError: the file exists but is not a taxonomy overlay.
    """
    return write_cells(path, {keyword_id: {THRESHOLD: f"{value:g}"} for keyword_id, value in thresholds.items()})


def write_keywords(path: Path, keywords: Iterable[Keyword]) -> int:
    """Write these keywords of the shop's own to the file, and return its new number of rows.

    Raises:
        CallerError: as for `write_thresholds`.
    """
    return write_cells(
        path,
        {
            keyword.id: {
                PARENTS: "|".join(keyword.parents),
                USE: keyword.use.value,
                **{language: "|".join(words) for language, words in keyword.words.items()},
            }
            for keyword in keywords
        },
    )


def write_cells(path: Path, cells: Mapping[str, Mapping[str, str]]) -> int:
    """Set these cells, by id and column, and replace the file by a rename; everything else in it stays."""
    written = {row[ID]: dict(row.cells) for row in rows(path, (ID,))} if path.exists() else {}
    for keyword_id, changed in cells.items():
        written.setdefault(keyword_id, {ID: keyword_id}).update(changed)
    columns = list(dict.fromkeys([ID, *(column for row in written.values() for column in row)]))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(written.values())
    with written_whole(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return len(written)
