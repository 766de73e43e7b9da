"""The rows of the taxonomy file: the format that people edit and programs read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
        CallerError: the columns are different, or a row has too many.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise CallerError(f"{path} must have the columns {','.join(COLUMNS)}")
        return [_row(path, number, cells) for number, cells in enumerate(reader, start=2)]


def _row(path: Path, number: int, cells: dict[str | None, str | None]) -> TaxonomyRow:
    if None in cells:
        raise CallerError(f"{path}:{number} has more than {len(COLUMNS)} columns")
    return TaxonomyRow(**{str(name): (value or "").strip() for name, value in cells.items()})


def as_csv(rows: Iterable[TaxonomyRow]) -> str:
    """Return the file's text: a header and one line per row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    return text.getvalue()
