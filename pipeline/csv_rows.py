"""Rows of a CSV file that a person wrote, read line by line; every mistake is reported with its line and column."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

MAX_LINE_BYTES = 65_536  # chosen by us: ten times what the longest key, product and quotes can need


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its cells by column, its file and its line."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the cell without surrounding spaces, or an empty string if the file has no such column."""
        return self.exact(column).strip()

    def __contains__(self, column: str) -> bool:
        """Return whether the cell is not empty."""
        return bool(self[column])

    def exact(self, column: str) -> str:
        """Return the cell unchanged, or an empty string if the file has no such column."""
        return self.cells.get(column, "")

    def several(self, column: str) -> tuple[str, ...]:
        """Return the values in the cell, which ``|`` separates."""
        return tuple(part.strip() for part in self[column].split("|") if part.strip())

    def mistake(self, column: str, problem: str) -> CallerError:
        """Return an error that names this cell and the problem."""
        return CallerError(f"{self.file}, line {self.line:,}, column {column}: {problem}")


def rows(path: Path, needed: Collection[str], allowed: Collection[str] | None = None) -> Iterator[CsvRow]:
    """Yield the rows below the header without empty lines, holding one line in memory at a time.

    Args:
        path: the file, comma-separated, UTF-8 with or without a byte order mark.
        needed: columns that must be present.
        allowed: columns that may be present; None allows any.

    Raises:
        CallerError: the file or a line is malformed; raised when that line is reached.
    """
    header: list[str] = []
    for line, cells in _numbered(path):
        if not header:
            header = _header(path, cells, needed, allowed)
        elif len(cells) > len(header) or 0 < len(cells) < len(header):
            raise _mistake(path, line, f"has {len(cells):,} cells where the first line has {len(header):,}")
        elif cells:
            yield CsvRow(path.name, line, dict(zip(header, cells, strict=True)))
    if not header:
        raise CallerError(f"{path} is empty; its first line must name the columns {', '.join(needed)}")


def _header(path: Path, cells: list[str], needed: Collection[str], allowed: Collection[str] | None) -> list[str]:
    names = [name.strip() for name in cells]
    twice = [name for position, name in enumerate(names) if name in names[:position]]
    if twice:
        raise _mistake(path, 1, f"the column {twice[0]} appears twice")
    missing = [name for name in needed if name not in names]
    if missing:
        raise _mistake(
            path, 1, f"there is no column {missing[0]}; the first line, read as comma-separated, has {', '.join(names)}"
        )
    unknown = [name for name in names if allowed is not None and name not in allowed]
    if unknown:
        raise _mistake(path, 1, f"the column {unknown[0]!r} is not one of {', '.join(allowed or ())}")
    return names


def _numbered(path: Path) -> Iterator[tuple[int, list[str]]]:
    line = 0
    try:
        with path.open("rb") as file:
            reader = csv.reader(_lines(path, file), strict=True)
            for cells in reader:
                line = reader.line_num
                yield line, cells
    except OSError as error:
        raise CallerError(f"{path} cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise _mistake(path, line + 1, f"is not CSV: {error}") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise _mistake(path, number, f"has over {MAX_LINE_BYTES:,} bytes; the limit is {MAX_LINE_BYTES:,}")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _mistake(path, number, f"is not UTF-8 from byte {error.start + 1:,} on") from error


def _mistake(path: Path, line: int, problem: str) -> CallerError:
    return CallerError(f"{path.name}, line {line:,}: {problem}")
