"""An export in a folder of this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.clock import utc_now
from pipeline.ports import FileVersion, StoredFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipeline.ports import Clock


@dataclass(frozen=True)
class FolderFiles:
    """Files below ``root``, as ``FileStore`` promises."""

    root: Path
    clock: Clock = utc_now  # of the machine: it stamps the files too

    def now(self) -> datetime:
        """Return this machine's time."""
        return self.clock()

    def write(self, name: str, source: Path) -> str:
        """Make the file hold what ``source`` holds, by a rename."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f".{target.name}.half")
        shutil.copyfile(source, half)
        version = _version_of(half)
        half.replace(target)
        return version

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and their hash, or None where there is none."""
        data = self.read(name)
        return None if data is None else FileVersion(data, hashlib.sha256(data).hexdigest())

    def download(self, name: str, target: Path) -> bool:
        """Copy the file, or return False where there is none."""
        path = self.root / name
        if path.is_file():
            shutil.copyfile(path, target)
        return path.is_file()

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file by a rename, if it is still as it was seen: one writer at a time, by a lock on the folder."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            found = self.read_version(name)
            if (found.version if found else None) != seen:
                return False
            half = target.with_name(f".{target.name}.half")
            half.write_bytes(data)
            half.replace(target)
            return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and not path.name.endswith(".half"))
        yield from sorted(name for path in paths if (name := path.relative_to(self.root).as_posix()).startswith(prefix))

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files; each is read, since a folder keeps no sums."""
        for name in self.names(prefix):
            with suppress(FileNotFoundError):  # removed since its name was read
                status = (self.root / name).stat()
                modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield StoredFile(name, status.st_size, _version_of(self.root / name), modified_at)

    def delete(self, names: Collection[str]) -> None:
        """Remove these files, and folders that are empty then; one that is not there is no error."""
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self.root).parents[:-1]:
                with suppress(OSError):  # it is not empty, or not there
                    (self.root / folder).rmdir()


def _version_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
