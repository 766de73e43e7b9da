"""Reads a manifest: a CSV file of images, perhaps with their products and what the shop says of these."""

from __future__ import annotations

import shutil
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog_loader.candidates import Candidate
from catalog_loader.image_set import digest_of
from pipeline.csv_rows import CsvRow, rows
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.listing import FIELDS, Listing
from pipeline.messages import checked_product

IMAGE, PRODUCT = "image", "product"
STDIN = "-"


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
            images.append(digest_of(str(candidate.image)))
            products.append(digest_of(candidate.product or ""))
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
        # Read like every other CSV of a person (DECISIONS.md, 164).
        for row in rows(self.path, (IMAGE,), title=str(self), ignores_case=True):
            try:
                yield row.line, _candidate(row)
            except CallerError as error:
                raise row.mistake(None, str(error)) from error


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


def _candidate(row: CsvRow) -> Candidate:
    listed = {name: row.exact(name) for name in FIELDS if name in row.cells}
    return Candidate(
        ImageRef.parse(row.exact(IMAGE)),
        product=checked_product(row.exact(PRODUCT)) if PRODUCT in row else None,
        listing=Listing.parse(listed) if listed else None,
    )


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
