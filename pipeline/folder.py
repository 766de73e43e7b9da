"""An export in a folder of this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.ports import FileVersion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class FolderFiles:
    """Files below ``root``, as ``FileStore`` promises."""

    root: Path

    def write(self, name: str, source: Path) -> None:
        """Make the file hold what ``source`` holds, by a rename."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f".{target.name}.half")
        shutil.copyfile(source, half)
        half.replace(target)

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and their hash, or None where there is none."""
        data = self.read(name)
        return None if data is None else FileVersion(data, hashlib.sha256(data).hexdigest())

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
        found = (path for path in self.root.rglob("*") if path.is_file() and not path.name.endswith(".half"))
        yield from sorted(name for path in found if (name := path.relative_to(self.root).as_posix()).startswith(prefix))

    def delete(self, names: Collection[str]) -> None:
        """Remove these files, and folders that are empty then; one that is not there is no error."""
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self.root).parents[:-1]:
                with suppress(OSError):  # it is not empty, or not there
                    (self.root / folder).rmdir()
