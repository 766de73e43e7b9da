"""An in-memory fake of the files of an export."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.ports import FileVersion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


@dataclass
class MemoryFiles:
    """An export in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def write(self, name: str, source: Path) -> None:
        """Write the file as ``FileStore`` promises."""
        self.files[name] = source.read_bytes()

    def read(self, name: str) -> bytes | None:
        """Return the file as ``FileStore`` promises."""
        return self.files.get(name)

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file as ``FileStore`` promises."""
        data = self.read(name)
        return None if data is None else FileVersion(data, hashlib.sha256(data).hexdigest())

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file as ``FileStore`` promises."""
        with self._lock:
            found = self.read_version(name)
            if (found.version if found else None) != seen:
                return False
            self.files[name] = data
            return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names as ``FileStore`` promises."""
        yield from sorted(name for name in self.files if name.startswith(prefix))

    def delete(self, names: Collection[str]) -> None:
        """Remove the files as ``FileStore`` promises."""
        for name in names:
            self.files.pop(name, None)
