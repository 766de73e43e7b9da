"""Writes many rows as Parquet files of whole row groups; each file is delivered and deleted when it is full."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results_sink.export import parquet, tables
from results_sink.export.manifest import PartFile


@dataclass(frozen=True, slots=True)
class Shape:
    """Files of one kind: their folder, their schema, the number of rows at which a file is full, and their name."""

    name: str
    schema: Any
    part_rows: int
    stem: str = "part"


class Parts:
    """Takes rows in their final order; ``files`` are those delivered so far."""

    def __init__(self, work: Path, shape: Shape, sizes: Iterator[int], deliver: Callable[[str, Path], str]) -> None:
        """Write below ``work``; ``sizes`` gives the rows of each row group, of which the last may be smaller.

        ``deliver`` takes a file's name and path and returns the version that the store gave it.
        """
        self.files: list[PartFile] = []
        self._work, self._shape, self._deliver = work, shape, deliver
        self._sizes, self._size = sizes, next(sizes, 0)
        self._waiting: list[Any] = [shape.schema.empty_table()]
        self._groups: list[int] = []
        self._writer: parquet.Writer | None = None

    def add(self, table: Any) -> None:
        """Write the row groups that these rows complete, and keep the rest in memory."""
        self._waiting.append(table)
        if sum(len(rows) for rows in self._waiting) < self._size:
            return
        rows = tables.join(self._waiting)
        while self._size and len(rows) >= self._size:
            self._write(rows.slice(0, self._size))
            rows = rows.slice(self._size)
            self._size = next(self._sizes, 0)
        self._waiting = [rows]

    def close(self) -> tuple[PartFile, ...]:
        """Write the remaining rows and return every file; without any rows there is one empty file."""
        rest = tables.join(self._waiting)
        if len(rest) or not (self._groups or self.files):
            self._write(rest)
        if self._writer:
            self._end_file(self._writer)
        return tuple(self.files)

    @property
    def _path(self) -> Path:
        return self._work / f"{self._shape.name}-{len(self.files):05d}.parquet"

    def _write(self, rows: Any) -> None:
        self._writer = self._writer or parquet.Writer(self._path, self._shape.schema)
        self._writer.write(rows)
        if len(rows):
            self._groups.append(len(rows))
        if sum(self._groups) >= self._shape.part_rows:
            self._end_file(self._writer)

    def _end_file(self, writer: parquet.Writer) -> None:
        writer.close()
        path = self._path
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = path.stat().st_size
        name = f"{self._shape.name}/{self._shape.stem}-{len(self.files):05d}.parquet"
        version = self._deliver(name, path)
        path.unlink()
        part = PartFile(name, sum(self._groups), size_bytes, digest, tuple(self._groups), version=version)
        self.files.append(part)
        self._writer, self._groups = None, []
