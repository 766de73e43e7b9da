"""Reads a manifest: a CSV file with the columns `image` (s3://bucket/key) and, if wanted, `product`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog_loader.find import FoundImage
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.messages import checked_product

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

IMAGE, PRODUCT = "image", "product"
MAX_LINE_BYTES = 65_536  # chosen by us: ten times what the longest key, product and quotes can need
PARQUET_MAGIC = b"PAR1"  # the first bytes of every Parquet file


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the columns stand."""

    image: int
    product: int | None
    cells: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's file. Both ways to read it take one line at a time."""

    path: Path

    def check(self) -> int:
        """Return how many images the whole file names, having read every line of it.

        Raises:
            CallerError: the file or a line of it is not as it should be; the message names the line.
        """
        count = sum(1 for _ in self.images())
        if not count:
            raise CallerError(f"{self.path} names no image")
        return count

    def images(self) -> Iterator[FoundImage]:
        """Yield the images in the file's order, with their products.

        Raises:
            CallerError: as for ``check``, when the line is reached.
        """
        header: _Header | None = None
        for line, row in self._rows():
            try:
                if header is None:
                    header = _header(row)
                else:
                    yield _found(row, header)
            except CallerError as error:
                raise self._mistake(line, str(error)) from error
        if header is None:
            raise CallerError(f"{self.path} is empty; its first line must name the column {IMAGE}")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        line = 0
        try:
            with self.path.open("rb") as file:
                reader = csv.reader(self._lines(file), strict=True)
                for row in reader:
                    line = reader.line_num
                    if row:
                        yield line, row
        except OSError as error:
            raise CallerError(f"{self.path} cannot be read: {error.strerror}") from error
        except csv.Error as error:
            raise self._mistake(line + 1, f"is not CSV: {error}") from error

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1 and raw.startswith(PARQUET_MAGIC):
                raise CallerError(f"{self.path} is Parquet; a manifest is CSV")
            if len(raw) > MAX_LINE_BYTES:
                raise self._mistake(number, f"has over {MAX_LINE_BYTES:,} bytes; the limit is {MAX_LINE_BYTES:,}")
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._mistake(number, f"is not UTF-8 from its byte {error.start + 1:,} on") from error

    def _mistake(self, line: int, what: str) -> CallerError:
        return CallerError(f"{self.path}, line {line:,}: {what}")


def _header(row: Sequence[str]) -> _Header:
    names = [name.strip() for name in row]
    twice = [name for at, name in enumerate(names) if name and name in names[:at]]
    if twice:
        raise CallerError(f"the column {twice[0]} stands twice")
    if IMAGE not in names:
        raise CallerError(f"there is no column {IMAGE}; its columns, parted by commas: {', '.join(names)}")
    return _Header(names.index(IMAGE), names.index(PRODUCT) if PRODUCT in names else None, len(names))


def _found(row: Sequence[str], header: _Header) -> FoundImage:
    if len(row) != header.cells:
        raise CallerError(f"has {len(row):,} cells where the first line has {header.cells:,}")
    product = "" if header.product is None else row[header.product]
    return FoundImage(
        ImageRef.parse(row[header.image]),
        product=checked_product(product) if product.strip() else None,
    )
