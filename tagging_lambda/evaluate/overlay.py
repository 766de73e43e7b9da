"""Writes thresholds and words into a shop's own file over the taxonomy; everything else in it stays as it is."""

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
    """Make the file say these thresholds, and return how many rows it then has.

    Raises:
        CallerError: there is a file, and it is not one that lies over a taxonomy.
    """
    return write_cells(path, {keyword_id: {THRESHOLD: f"{value:g}"} for keyword_id, value in thresholds.items()})


def write_keywords(path: Path, keywords: Iterable[Keyword]) -> int:
    """Make the file name these keywords of the shop's own, and return how many rows it then has.

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
    """Make the file say these cells, by id and column, by a rename; everything else in it stays as it is."""
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
