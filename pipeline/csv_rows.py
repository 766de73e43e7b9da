"""Rows of a CSV file as people and spreadsheets write it, read line by line; each mistake is named by its line."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from pipeline.errors import CallerError

MAX_LINE_BYTES = 65_536  # chosen by us: ten times what the longest key, product and quotes can need
DELIMITERS = ",;\t"  # what spreadsheets write, in the order in which they are tried
PARQUET_MAGIC, GZIP_MAGIC = b"PAR1", b"\x1f\x8b"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


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

    def mistake(self, column: str | None, problem: str) -> CallerError:
        """Return an error that names this cell, or the whole row, and the problem."""
        cell = "" if column is None else f", column {column}"
        return CallerError(f"{self.file}, line {self.line:,}{cell}: {problem}")


# One reader for manifests, labels and decisions, in every form that spreadsheets write (DECISIONS.md, 164).
def rows(
    path: Path,
    needed: Collection[str],
    allowed: Collection[str] | None = None,
    *,
    title: str = "",
    ignores_case: bool = False,
) -> Iterator[CsvRow]:
    """Yield the rows below the header without empty lines, holding one line in memory at a time.

    Args:
        path: the file, with commas, semicolons or tabs, in UTF-8 or UTF-16, plain or gzipped.
        needed: columns that must be present.
        allowed: columns that may be present; None allows any.
        title: what messages call the file; by default its path, or its name where they name a line.
        ignores_case: whether the header may be in any case; the columns of the rows are then in lower case.

    Raises:
        CallerError: the file or a line is malformed; raised when that line is reached.
    """
    file = _CsvFile(path, title or str(path), title or path.name)
    header: list[str] = []
    for line, cells in file.numbered(needed):
        if not header:
            header = [name.strip().casefold() if ignores_case else name.strip() for name in cells]
            _check_header(file, header, needed, allowed)
        elif len(cells) != len(header):
            raise file.mistake(line, f"has {len(cells):,} cells where the first line has {len(header):,}")
        else:
            yield CsvRow(file.name, line, dict(zip(header, cells, strict=True)))
    if not header:
        columns = "column" + "s" * (len(needed) > 1)
        raise CallerError(f"{file.title} is empty; its first line must name the {columns} {', '.join(needed)}")


@dataclass(frozen=True, slots=True)
class _CsvFile:
    """A CSV file, what messages call it, and what those about a line call it."""

    path: Path
    title: str
    name: str

    def numbered(self, needed: Collection[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield the cells of each row that is not empty, with the number of its last line."""
        line = 0
        try:
            with self.path.open("rb") as file:
                lines = self._lines(self._uncompressed(file))
                first = next(lines, "")
                reader = csv.reader(chain([first], lines), delimiter=_delimiter(first, needed), strict=True)
                for cells in reader:
                    line = reader.line_num
                    if cells:
                        yield line, cells
        except (gzip.BadGzipFile, EOFError) as error:
            raise CallerError(f"{self.title} is damaged gzip: {error}") from error
        except OSError as error:
            raise CallerError(f"{self.title} cannot be read: {error.strerror}") from error
        except csv.Error as error:
            raise self.mistake(line + 1, f"is not CSV: {error}") from error

    def mistake(self, line: int, problem: str) -> CallerError:
        return CallerError(f"{self.name}, line {line:,}: {problem}")

    def _uncompressed(self, file: IO[bytes]) -> io.BufferedReader:
        head = file.read(len(PARQUET_MAGIC))
        file.seek(0)
        if head.startswith(PARQUET_MAGIC):
            raise CallerError(
                f"{self.title} is Parquet; write it as CSV first, for example by pandas: "
                "pd.read_parquet(FILE).to_csv('FILE.csv', index=False)"
            )
        return io.BufferedReader(gzip.GzipFile(fileobj=file) if head.startswith(GZIP_MAGIC) else file)  # type: ignore[arg-type]

    def _lines(self, file: io.BufferedReader) -> Iterator[str]:
        if file.peek(2)[:2] in UTF_16_MARKS:
            yield from self._utf_16_lines(file)
            return
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                raise self.mistake(number, f"has over {MAX_LINE_BYTES:,} bytes; the limit is {MAX_LINE_BYTES:,}")
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self.mistake(number, f"is not UTF-8 from byte {error.start + 1:,} on") from error

    def _utf_16_lines(self, file: io.BufferedReader) -> Iterator[str]:
        text, number = io.TextIOWrapper(file, encoding="utf-16", newline=""), 0
        try:
            while line := text.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise self.mistake(number, f"has over {MAX_LINE_BYTES:,} characters, the limit")
                yield line
        except UnicodeError as error:
            raise self.mistake(number + 1, "is not UTF-16, as the first bytes of the file say") from error


def _delimiter(first_line: str, needed: Collection[str]) -> str:
    """Return the delimiter by which the first line has the needed columns; a comma if none does."""
    for delimiter in DELIMITERS:
        names = {name.strip(' "\r\n').casefold() for name in first_line.split(delimiter)}
        if names.issuperset(needed):
            return delimiter
    return DELIMITERS[0]


def _check_header(
    file: _CsvFile, names: Sequence[str], needed: Collection[str], allowed: Collection[str] | None
) -> None:
    repeated = [name for index, name in enumerate(names) if name and name in names[:index]]
    if repeated:
        raise file.mistake(1, f"the column {repeated[0]} appears twice")
    missing = [name for name in needed if name not in names]
    if missing:
        raise file.mistake(1, f"there is no column {missing[0]}; the columns are {', '.join(names)}")
    unknown = [name for name in names if allowed is not None and name not in allowed]
    if unknown:
        raise file.mistake(1, f"the column {unknown[0]!r} is not one of {', '.join(allowed or ())}")
