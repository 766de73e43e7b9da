"""Writes thresholds into a shop's own file over the taxonomy; everything else in it stays as it is."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.taxonomy_file import ID, THRESHOLD
from pipeline.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_thresholds(path: Path, thresholds: Mapping[str, float]) -> int:
    """Make the file say these thresholds, by a rename, and return how many rows it then has.

    Raises:
        CallerError: there is a file, and it is not one that lies over a taxonomy.
    """
    written = {row[ID]: dict(row.cells) for row in rows(path, (ID,))} if path.exists() else {}
    columns = list(dict.fromkeys([ID, THRESHOLD, *(column for cells in written.values() for column in cells)]))
    for keyword_id, threshold in thresholds.items():
        written.setdefault(keyword_id, {ID: keyword_id})[THRESHOLD] = f"{threshold:g}"
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(written.values())
    with written_whole(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return len(written)
