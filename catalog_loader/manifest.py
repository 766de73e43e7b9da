"""Reads a manifest: a CSV file of images, perhaps with their products and what the shop says of these."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import shutil
import sys
import tempfile
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from catalog_loader.candidates import Candidate
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.listing import FIELDS, Listing
from pipeline.messages import checked_product

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IMAGE, PRODUCT = "image", "product"
STDIN = "-"
DELIMITERS = ",;\t"  # what spreadsheets write, in the order in which they are tried
MAX_LINE_BYTES = 65_536  # chosen by us: ten times what the longest key, product and quotes can need
PARQUET_MAGIC, GZIP_MAGIC = b"PAR1", b"\x1f\x8b"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
DIGEST_BYTES = 8  # kept of each name while duplicates are searched: a false alarm among a million lines: 1 in 10^7


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the columns stand."""

    image: int
    product: int | None
    listing: dict[str, int]
    cells: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest file: CSV with commas, semicolons or tabs, in UTF-8 or UTF-16, plain or gzipped.

    Attributes:
        path: of the file.
        title: what messages call it; empty where that is its path.
    """

    path: Path
    title: str = ""

    def __str__(self) -> str:
        return self.title or str(self.path)

    def check(self) -> int:
        """Return how many images the file names, having read every line. Takes 24 bytes of memory a line.

        Raises:
            CallerError: the file or a line of it cannot be used, or two lines give one image different products.
        """
        images, products, lines = array("Q"), array("Q"), array("Q")
        for line, candidate in self._candidates():
            images.append(_digest(str(candidate.image)))
            products.append(_digest(candidate.product or ""))
            lines.append(line)
        if not images:
            raise CallerError(f"{self} names no image")
        conflict = _first_conflict(images, products, lines)
        if conflict is not None:
            first, second = conflict
            raise CallerError(
                f"{self}, lines {first:,} and {second:,} give the same image different products; keep one of them"
            )
        return len(images)

    def images(self) -> Iterator[Candidate]:
        """Yield the images in the order of the file, with their products.

        Raises:
            CallerError: as for ``check``, when the line is reached.
        """
        for _, candidate in self._candidates():
            yield candidate

    def _candidates(self) -> Iterator[tuple[int, Candidate]]:
        header: _Header | None = None
        for line, row in self._rows():
            try:
                if header is None:
                    header = _header(row)
                else:
                    yield line, _candidate(row, header)
            except CallerError as error:
                raise self._mistake(line, str(error)) from error
        if header is None:
            raise CallerError(f"{self} is empty; its first line must name the column {IMAGE}")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        line = 0
        try:
            with self.path.open("rb") as file:
                lines = self._lines(self._uncompressed(file))
                first = next(lines, "")
                reader = csv.reader(_with_first(first, lines), delimiter=_delimiter(first), strict=True)
                for row in reader:
                    line = reader.line_num
                    if row:
                        yield line, row
        except (gzip.BadGzipFile, EOFError) as error:
            raise CallerError(f"{self} is damaged gzip: {error}") from error
        except OSError as error:
            raise CallerError(f"{self} cannot be read: {error.strerror}") from error
        except csv.Error as error:
            raise self._mistake(line + 1, f"is not CSV: {error}") from error

    def _uncompressed(self, file: IO[bytes]) -> IO[bytes]:
        head = file.read(len(PARQUET_MAGIC))
        file.seek(0)
        if head.startswith(PARQUET_MAGIC):
            raise CallerError(
                f"{self} is Parquet; write it as CSV first, for example by pandas: "
                "pd.read_parquet(FILE)[['image', 'product']].to_csv('manifest.csv', index=False)"
            )
        return io.BufferedReader(gzip.GzipFile(fileobj=file)) if head.startswith(GZIP_MAGIC) else file

    def _lines(self, file: IO[bytes]) -> Iterator[str]:
        buffered = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
        mark = buffered.peek(2)[:2] if isinstance(buffered, io.BufferedReader) else b""
        if mark in UTF_16_MARKS:
            yield from self._utf_16_lines(buffered)
            return
        number = 0
        while raw := buffered.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                raise self._mistake(number, f"has over {MAX_LINE_BYTES:,} bytes; the limit is {MAX_LINE_BYTES:,}")
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._mistake(number, f"is not UTF-8 from byte {error.start + 1:,} on") from error

    def _utf_16_lines(self, file: IO[bytes]) -> Iterator[str]:
        text, number = io.TextIOWrapper(file, encoding="utf-16", newline=""), 0
        try:
            while line := text.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise self._mistake(number, f"has over {MAX_LINE_BYTES:,} characters, the limit")
                yield line
        except UnicodeError as error:
            raise self._mistake(number + 1, "is not UTF-16, as the first bytes of the file say") from error

    def _mistake(self, line: int, problem: str) -> CallerError:
        return CallerError(f"{self}, line {line:,}: {problem}")


@contextmanager
def manifest_at(path: str) -> Iterator[Manifest]:
    """Yield the manifest at the path; ``-`` is standard input, which is kept in a temporary file while it is used.

    A manifest is read twice, first to check it and then to send, which a pipe cannot be.

    Raises:
        CallerError: there is no such file.
    """
    if path != STDIN:
        if not Path(path).is_file():
            raise CallerError(f"{path} is neither s3://bucket/prefix nor a manifest file")
        yield Manifest(Path(path))
        return
    with tempfile.NamedTemporaryFile(prefix="manifest-", suffix=".csv") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Manifest(Path(copy.name), "standard input")


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(first_line: str) -> str:
    """Return the delimiter by which the first line has a column ``image``; a comma if none does."""
    for delimiter in DELIMITERS:
        names = [name.strip(' "\r\n').casefold() for name in first_line.split(delimiter)]
        if IMAGE in names:
            return delimiter
    return DELIMITERS[0]


def _header(row: Sequence[str]) -> _Header:
    names = [name.strip().casefold() for name in row]
    repeated = [name for index, name in enumerate(names) if name and name in names[:index]]
    if repeated:
        raise CallerError(f"the column {repeated[0]} appears twice")
    if IMAGE not in names:
        raise CallerError(f"there is no column {IMAGE}; the columns are {', '.join(names)}")
    listing = {name: names.index(name) for name in FIELDS if name in names}
    return _Header(names.index(IMAGE), names.index(PRODUCT) if PRODUCT in names else None, listing, len(names))


def _candidate(row: Sequence[str], header: _Header) -> Candidate:
    if len(row) != header.cells:
        raise CallerError(f"has {len(row):,} cells where the first line has {header.cells:,}")
    product = "" if header.product is None else row[header.product]
    return Candidate(
        ImageRef.parse(row[header.image]),
        product=checked_product(product) if product.strip() else None,
        listing=Listing.parse({name: row[index] for name, index in header.listing.items()}) if header.listing else None,
    )


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest())


def _first_conflict(images: array[int], products: array[int], lines: array[int]) -> tuple[int, int] | None:
    """Return the line numbers of the first two lines that give one image different products, or None."""
    image, product, line = (np.frombuffer(column, np.uint64) for column in (images, products, lines))
    order = np.lexsort((line, image))
    same_image = image[order[1:]] == image[order[:-1]]
    conflicts = np.flatnonzero(same_image & (product[order[1:]] != product[order[:-1]]))
    if not conflicts.size:
        return None
    first = conflicts[np.argmin(line[order[conflicts + 1]])]
    return int(line[order[first]]), int(line[order[first + 1]])
