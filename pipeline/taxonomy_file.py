"""The taxonomy file and a shop's overlay of it: cells by node, each with the row that it was read from."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.errors import BadTaxonomy, CallerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.csv_rows import CsvRow

ID, PARENTS, USE, THRESHOLD, NOTE = "id", "parents", "use", "threshold", "note"
FIXED = (ID, PARENTS, USE, THRESHOLD, NOTE)
OWN_ID = re.compile(r"shop-[a-z0-9-]+")  # the id of a node that WordNet lacks
NOTHING = "-"  # in an overlay: clears the cell below
ALSO = "+"  # at the start of an overlay's cell: adds to the words below instead of replacing them
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


@dataclass(frozen=True, slots=True)
class NodeCells:
    """One node's cells by column, each with the row that it was read from."""

    rows: dict[str, CsvRow]
    cells: dict[str, str]

    def several(self, column: str) -> tuple[str, ...]:
        """Return the values in the cell, which ``|`` separates."""
        return tuple(filter(None, map(str.strip, self.cells.get(column, "").split("|"))))

    def mistake(self, column: str, problem: str) -> BadTaxonomy:
        """Return an error that names the cell's file, line and problem."""
        return BadTaxonomy(str(self.rows.get(column, self.rows[ID]).mistake(column, problem)))

    def over(self, row: CsvRow) -> NodeCells:
        """Return the cells as a row of the overlay changes them."""
        changed = {column: self._changed(column, row[column]) for column in row.cells if column in row and column != ID}
        return NodeCells(self.rows | dict.fromkeys(changed, row), self.cells | changed)

    def _changed(self, column: str, text: str) -> str:
        if text == NOTHING:
            return ""
        below = self.cells.get(column, "")
        if not text.startswith(ALSO) or column in FIXED:
            return text
        return "|".join(filter(None, (below, text.removeprefix(ALSO).strip())))


@dataclass(frozen=True, slots=True)
class TaxonomyFile:
    """The content of the files: nodes by id, languages in the files' order, and a version that identifies it all."""

    nodes: dict[str, NodeCells]
    languages: tuple[str, ...]
    version: str

    @classmethod
    def read(cls, path: Path, overlay: Path | None = None) -> TaxonomyFile:
        """Return the taxonomy file with the shop's overlay, if there is one.

        Raises:
            BadTaxonomy: a file cannot be read, or a row of it is invalid.
        """
        content = _Content()
        try:
            for row in content.rows(path, (ID, PARENTS, USE, THRESHOLD)):
                content.add(row)
            for row in content.rows(overlay, (ID,)) if overlay else ():
                content.lay_over(row)
        except CallerError as error:
            raise BadTaxonomy(str(error)) from error
        return cls(content.nodes, tuple(content.languages), content.digest.hexdigest()[:12])


@dataclass
class _Content:
    """What has been read so far."""

    nodes: dict[str, NodeCells] = field(default_factory=dict)
    languages: dict[str, None] = field(default_factory=dict)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    laid_over: set[str] = field(default_factory=set)

    def rows(self, path: Path, needed: tuple[str, ...]) -> Iterator[CsvRow]:
        for number, row in enumerate(rows(path, needed)):
            if number == 0:  # all rows of a file have the columns of its header
                self._learn_languages(row)
            if row[ID]:
                yield row
            elif any(column in row for column in row.cells):
                raise row.mistake(ID, "is empty")
        self.digest.update(path.read_bytes())

    def _learn_languages(self, row: CsvRow) -> None:
        for column in row.cells:
            if column in FIXED:
                continue
            if not _LANGUAGE.fullmatch(column):
                known = ", ".join(FIXED)
                raise CallerError(f"{row.file}, line 1: the column {column!r} is neither one of {known} nor a language")
            self.languages[column] = None

    def add(self, row: CsvRow) -> None:
        if row[ID] in self.nodes:
            raise row.mistake(ID, f"{row[ID]} appears twice in the taxonomy")
        self.nodes[row[ID]] = NodeCells(
            dict.fromkeys(row.cells, row), {column: text.strip() for column, text in row.cells.items()}
        )

    def lay_over(self, row: CsvRow) -> None:
        if row[ID] in self.laid_over:
            raise row.mistake(ID, f"{row[ID]} appears twice")
        self.laid_over.add(row[ID])
        known = self.nodes.get(row[ID])
        if known is None and not OWN_ID.fullmatch(row[ID]):
            raise row.mistake(ID, f"{row[ID]} is not in the taxonomy; the id of a node of your own begins with shop-")
        self.nodes[row[ID]] = (known or NodeCells({ID: row}, {ID: row[ID]})).over(row)
