"""Opens the snapshot that ``latest.json`` names; each file's sum is checked before it is read."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import BadExport, NoExport
from results_sink.export.manifest import (
    DELTAS,
    LATEST_NAME,
    MANIFEST_NAME,
    SNAPSHOTS,
    FileSum,
    Latest,
    Manifest,
    PartFile,
)
from results_sink.export.parquet import ParquetFile

if TYPE_CHECKING:
    from pipeline.folder import FolderFiles
    from pipeline.ports import FileStore

KEPT_BYTES = 2_000_000_000  # chosen by us: less than half of the API function's 4,096 MB of disk
LOOK_SHARE = 20  # chosen by us: old copies are removed after each 20th of that, not after each file
OPENED_AT_ONCE = 8  # files, chosen by us
IN_USE_NS = 60 * 10**9  # chosen by us: a copy requested this recently may be about to be opened


class Copies(Protocol):
    """Brings files of an export to this machine."""

    def path_of(self, file: FileSum) -> Path:
        """Return the file's path, after checking its sum.

        Raises:
            BadExport: it is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class InPlace:
    """Reads an export in place, in a folder."""

    files: FolderFiles

    def path_of(self, file: FileSum) -> Path:
        """Return the file's own path."""
        path = self.files.root / file.name
        if not path.is_file():
            raise BadExport(f"{path} is missing")
        _check(path.stat().st_size, _digest(path), file, str(path))
        return path


@dataclass
class Downloaded:
    """Downloads files of an export once, and keeps the last used ones, by their sum, up to ``kept_bytes``.

    It may keep some more: files since the last clean-up, and those that may be about to be opened.
    """

    files: FileStore
    export_name: str
    cache: Path
    kept_bytes: int = KEPT_BYTES
    _brought_bytes: int = field(default=0, init=False)  # since the last clean-up

    def __post_init__(self) -> None:
        """Make the first download clean up what others left."""
        self._brought_bytes = self.kept_bytes

    def path_of(self, file: FileSum) -> Path:
        """Return the path of the file's copy."""
        path = self.cache / f"{file.sha256}.parquet"
        if not _is_whole(path, file):
            self._bring(file, path)
        return path

    def _bring(self, file: FileSum, path: Path) -> None:
        data = self.files.read(file.name)
        if data is None:
            raise BadExport(f"{self.export_name}/{file.name} is missing")
        _check(len(data), hashlib.sha256(data).hexdigest(), file, f"{self.export_name}/{file.name}")
        self.cache.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self.cache, suffix=".half", delete=False) as half:
            half.write(data)  # under a unique name: another process may be downloading the same file
        Path(half.name).replace(path)
        self._brought_bytes += len(data)
        if self._brought_bytes >= self.kept_bytes // LOOK_SHARE:
            self._brought_bytes = 0
            self._forget(path.stat().st_mtime_ns)

    def _forget(self, now_ns: int) -> None:
        """Remove all but the last used ``kept_bytes`` of copies and abandoned partial downloads."""
        copies = []
        for path in self.cache.iterdir():
            with suppress(FileNotFoundError):  # other processes remove them too
                state = path.stat()
                copies.append((state.st_mtime_ns, state.st_size, path))
        kept_bytes = 0
        for used_ns, size_bytes, path in sorted(copies, reverse=True):
            kept_bytes += size_bytes
            if kept_bytes > self.kept_bytes and used_ns < now_ns - IN_USE_NS:
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
            self._opened[part.name] = ParquetFile(self.copies.path_of(self.sum_of(part)))
        return self._opened[part.name]

    def sum_of(self, part: PartFile) -> FileSum:
        """Return one of its files by its path from the export's root, with its expected sum."""
        return FileSum(f"{SNAPSHOTS}{self.manifest.snapshot}/{part.name}", part.bytes, part.sha256, part.version)

    def open_images(self) -> list[ParquetFile]:
        """Return the files of ``images/`` in order, opened concurrently as they may need downloading.

        Raises:
            BadExport: one is missing or damaged.
        """
        with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:
            return list(pool.map(self.open, self.manifest.images))

    @property
    def row_groups_read(self) -> dict[str, int]:
        """How many row groups were read so far of each opened file."""
        return {name: file.row_groups_read for name, file in self._opened.items()}


def read_latest(files: FileStore, export_name: str) -> Latest:
    """Return the content of ``latest.json``.

    Raises:
        NoExport: there is none.
        BadExport: it is damaged.
    """
    pointer = files.read(LATEST_NAME)
    if pointer is None:
        raise NoExport(f"{export_name} holds no export; run `catalog-tagger export` first")
    return Latest.decode(pointer, f"{export_name}/{LATEST_NAME}")


def open_snapshot(latest: Latest, files: FileStore, copies: Copies, export_name: str) -> Snapshot:
    """Return the snapshot that a pointer names.

    Raises:
        BadExport: it is gone or damaged.
    """
    name = f"{export_name}/{latest.manifest.name}"
    data = files.read(latest.manifest.name)
    if data is None:
        raise BadExport(f"{name} is missing")
    _check(len(data), hashlib.sha256(data).hexdigest(), latest.manifest, name)
    return Snapshot(Manifest.decode(data, name), copies)


def _is_whole(path: Path, file: FileSum) -> bool:
    """Return whether the copy exists and is intact, and mark it as used before reading, so that nobody removes it."""
    try:
        os.utime(path)
        return _digest(path) == file.sha256
    except FileNotFoundError:
        return False


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
