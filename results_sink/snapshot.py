"""A snapshot as a reader opens it: named by ``latest.json``, each file checked against its sum before it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import BadExport, NoExport
from results_sink.manifest import DELTAS, LATEST_NAME, MANIFEST_NAME, SNAPSHOTS, FileSum, Latest, Manifest
from results_sink.parquet import ParquetFile

if TYPE_CHECKING:
    from pipeline.folder import FolderFiles
    from pipeline.ports import FileStore
    from results_sink.manifest import PartFile

KEPT_COPIES = 100  # files, chosen by us: some 2 GB


class Copies(Protocol):
    """Brings files of an export to this machine."""

    def path_of(self, file: FileSum) -> Path:
        """Return where the file lies, after its sum was found right.

        Raises:
            BadExport: it is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class InPlace:
    """Reads an export in a folder where it lies."""

    files: FolderFiles

    def path_of(self, file: FileSum) -> Path:
        """Return the file's own path."""
        path = self.files.root / file.name
        if not path.is_file():
            raise BadExport(f"{path} is missing")
        _check(path.stat().st_size, _digest(path), file, str(path))
        return path


@dataclass(frozen=True)
class Downloaded:
    """Downloads files of an export once, and keeps those that were used last by their sum."""

    files: FileStore
    place: str
    cache: Path

    def path_of(self, file: FileSum) -> Path:
        """Return the path of the file's copy."""
        path = self.cache / f"{file.sha256}.parquet"
        if path.is_file() and _digest(path) == file.sha256:
            path.touch()
            return path
        data = self.files.read(file.name)
        if data is None:
            raise BadExport(f"{self.place}/{file.name} is missing")
        _check(len(data), hashlib.sha256(data).hexdigest(), file, f"{self.place}/{file.name}")
        self.cache.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self.cache, suffix=".half", delete=False) as half:
            half.write(data)  # under a name of its own: somebody else may be bringing the same file
        Path(half.name).replace(path)
        self._forget()
        return path

    def _forget(self) -> None:
        newest_first = sorted(self.cache.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in newest_first[KEPT_COPIES:]:
            path.unlink(missing_ok=True)


@dataclass
class Snapshot:
    """A whole snapshot, whose files are opened when they are needed."""

    manifest: Manifest
    copies: Copies
    _opened: dict[str, ParquetFile] = field(default_factory=dict)

    def open(self, part: PartFile) -> ParquetFile:
        """Return one of its files, opened once.

        Raises:
            BadExport: it is missing or damaged.
        """
        if part.name not in self._opened:
            name = f"{SNAPSHOTS}{self.manifest.snapshot}/{part.name}"
            self._opened[part.name] = ParquetFile(self.copies.path_of(FileSum(name, part.bytes, part.sha256)))
        return self._opened[part.name]

    @property
    def row_groups_read(self) -> dict[str, int]:
        """How many row groups were read so far of each file that was opened."""
        return {name: file.row_groups_read for name, file in self._opened.items()}


def open_latest(files: FileStore, copies: Copies, place: str) -> Snapshot:
    """Return the snapshot that ``latest.json`` names; ``place`` says in messages where it was looked for.

    Raises:
        BadExport: there is none, or it is damaged.
    """
    return open_snapshot(read_latest(files, place), files, copies, place)


def read_latest(files: FileStore, place: str) -> Latest:
    """Return what ``latest.json`` says.

    Raises:
        NoExport: there is none.
        BadExport: it is damaged.
    """
    pointer = files.read(LATEST_NAME)
    if pointer is None:
        raise NoExport(f"{place} holds no export; run `catalog-tagger export` first")
    return Latest.decode(pointer, f"{place}/{LATEST_NAME}")


def open_snapshot(latest: Latest, files: FileStore, copies: Copies, place: str) -> Snapshot:
    """Return the snapshot that a pointer names.

    Raises:
        BadExport: it is gone or damaged.
    """
    name = f"{place}/{latest.manifest.name}"
    data = files.read(latest.manifest.name)
    if data is None:
        raise BadExport(f"{name} is missing")
    _check(len(data), hashlib.sha256(data).hexdigest(), latest.manifest, name)
    return Snapshot(Manifest.decode(data, name), copies)


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check(size_bytes: int, digest: str, file: FileSum, name: str) -> None:
    by_latest = file.name.endswith(MANIFEST_NAME) or file.name.startswith(DELTAS)
    named_by = LATEST_NAME if by_latest else MANIFEST_NAME
    if size_bytes != file.bytes:
        raise BadExport(f"{name} is damaged: it has {size_bytes:,} bytes; {named_by} says {file.bytes:,}")
    if digest != file.sha256:
        raise BadExport(f"{name} is damaged: its SHA-256 is not what {named_by} says")
