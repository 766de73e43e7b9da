"""The rows of the taxonomy file: the format that people edit and programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.csv_rows import rows

SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class TaxonomyRow:
    """One node as written in the file: every column is text; `|` separates parents and words."""

    id: str
    parents: str = ""
    use: str = ""
    threshold: str = ""
    en: str = ""
    de: str = ""
    fr: str = ""
    es: str = ""
    note: str = ""

    @property
    def parent_ids(self) -> tuple[str, ...]:
        """The ids of the node's parents."""
        return split(self.parents)

    def words(self, language: str) -> tuple[str, ...]:
        """Return the node's words in `language`: first its name, then the synonyms."""
        return split(getattr(self, language))


COLUMNS = tuple(field.name for field in fields(TaxonomyRow))


def split(cell: str) -> tuple[str, ...]:
    """Return the values of a cell, which `|` separates."""
    return tuple(part.strip() for part in cell.split(SEPARATOR) if part.strip())


def read_rows(path: Path) -> list[TaxonomyRow]:
    """Return the rows of a taxonomy file in the file's order.

    Raises:
        CallerError: a column is missing or unknown, or a row has more or fewer cells.
    """
    return [TaxonomyRow(**{column: row[column] for column in COLUMNS}) for row in rows(path, COLUMNS, allowed=COLUMNS)]


def as_csv(rows: Iterable[TaxonomyRow]) -> str:
    """Return the file's text: a header and one line per row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    return text.getvalue()
