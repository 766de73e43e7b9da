"""An export in a local folder."""

from __future__ import annotations

import errno
import hashlib
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.clock import utc_now
from pipeline.errors import BadSettings, CallerError
from pipeline.ports import FileVersion, StoredFile
from pipeline.whole_file import one_at_a_time, written_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipeline.ports import Clock


@dataclass(frozen=True)
class FolderFiles:
    """Files below ``root``, as ``FileStore`` promises."""

    root: Path
    clock: Clock = utc_now  # the machine's own, which also stamps the files

    def now(self) -> datetime:
        """Return this machine's time."""
        return self.clock()

    def write(self, name: str, source: Path) -> str:
        """Copy ``source`` to the file, by a rename."""
        with self._writes(name), written_whole(self.root / name) as partial:
            shutil.copyfile(source, partial)
            return _version_of(partial)

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
        """Write the file by a rename if its version is still ``seen``; a lock admits one writer at a time."""
        with self._writes(name), one_at_a_time(self.root):
            current = self.read_version(name)
            if (current.version if current else None) != seen:
                return False
            with written_whole(self.root / name) as partial:
                partial.write_bytes(data)
            return True

    @contextmanager
    def _writes(self, name: str) -> Iterator[None]:
        """Turn a failure to write the file into an error that the operator can act on."""
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                message = f"there is no space left in {self.root}; free some, or name another folder"
                raise BadSettings(message) from error
            raise CallerError(f"{self.root / name} cannot be written: {error.strerror}") from error

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and not path.name.endswith(".half"))
        yield from sorted(name for path in paths if (name := path.relative_to(self.root).as_posix()).startswith(prefix))

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files; each one is read, because a folder stores no checksums."""
        for name in self.names(prefix):
            with suppress(FileNotFoundError):  # deleted since its name was read
                status = (self.root / name).stat()
                modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield StoredFile(name, status.st_size, _version_of(self.root / name), modified_at)

    def delete(self, names: Collection[str]) -> None:
        """Delete these files and the folders that this empties; missing ones are no error."""
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self.root).parents[:-1]:
                with suppress(OSError):  # it is not empty, or does not exist
                    (self.root / folder).rmdir()


def _version_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
