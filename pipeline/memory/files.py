"""An in-memory fake of the files of an export."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

from pipeline.clock import utc_now
from pipeline.ports import Clock, FileVersion, StoredFile


@dataclass
class MemoryFiles:
    """An export in memory. A file that was put into ``files`` directly was modified when it is first listed."""

    files: dict[str, bytes] = field(default_factory=dict)
    clock: Clock = utc_now
    modified_at: dict[str, datetime] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def now(self) -> datetime:
        """Return the time as ``FileStore`` promises."""
        return self.clock()

    def write(self, name: str, source: Path) -> str:
        """Write the file as ``FileStore`` promises."""
        return self._keep(name, source.read_bytes())

    def read(self, name: str) -> bytes | None:
        """Return the file as ``FileStore`` promises."""
        return self.files.get(name)

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file as ``FileStore`` promises."""
        data = self.read(name)
        return None if data is None else FileVersion(data, _version_of(data))

    def download(self, name: str, target: Path) -> bool:
        """Copy the file as ``FileStore`` promises."""
        data = self.read(name)
        if data is not None:
            target.write_bytes(data)
        return data is not None

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file as ``FileStore`` promises."""
        with self._lock:
            current = self.read_version(name)
            if (current.version if current else None) != seen:
                return False
            self._keep(name, data)
            return True

    def _keep(self, name: str, data: bytes) -> str:
        self.files[name], self.modified_at[name] = data, self.clock()
        return _version_of(data)

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names as ``FileStore`` promises."""
        yield from sorted(name for name in self.files if name.startswith(prefix))

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files as ``FileStore`` promises."""
        for name in self.names(prefix):
            data, modified_at = self.files[name], self.modified_at.setdefault(name, self.clock())
            yield StoredFile(name, len(data), _version_of(data), modified_at)

    def delete(self, names: Collection[str]) -> None:
        """Remove the files as ``FileStore`` promises."""
        for name in names:
            self.files.pop(name, None)


def _version_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
