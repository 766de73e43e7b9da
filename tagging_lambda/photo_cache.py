"""A cache of what local photos show, by content: a second command over the same folder reads no photo again."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pipeline.facts import PhotoFacts
from pipeline.records import pack_class_scores, unpack_class_scores
from pipeline.vectors import FeatureVector
from tagging_lambda.observe import ObservedPhoto

_LAYOUT = "2"  # raised when the content or the computation of facts changes: photos of older rows are then read again
_CREATE = (
    "CREATE TABLE IF NOT EXISTS photo (content BLOB, version TEXT, class_scores BLOB, low_information INTEGER,"
    " facts BLOB, vector BLOB, PRIMARY KEY (content, version)) WITHOUT ROWID"
)
_WAIT_S = 30.0  # chosen by us: the wait for another command that writes to the same file


# By content and not by path, so that a moved or renamed photo is not read again (DECISIONS.md, 43).
@dataclass
class PhotoCache:
    """A file of photos by content and model version. Thread-safe."""

    version: str
    _connection: sqlite3.Connection = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, path: Path, model_version: str) -> Self:
        """Return the cache in the file, which is created if needed, for one version of the model."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each photo is committed on its own: a command that is stopped keeps what it has read.
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a lost row costs reading one photo again
        connection.execute(_CREATE)
        return cls(f"{_LAYOUT} {model_version}", connection)

    def get(self, data: bytes) -> ObservedPhoto | None:
        """Return what these bytes show; None if they were not read before."""
        query = "SELECT class_scores, low_information, facts, vector FROM photo WHERE content = ? AND version = ?"
        with self._lock:
            row = self._connection.execute(query, (_digest(data), self.version)).fetchone()
        if row is None:
            return None
        class_scores, low_information, facts, vector = row
        photo_facts = PhotoFacts.unpack(facts) if facts else None
        return ObservedPhoto(
            class_scores=unpack_class_scores(class_scores),
            width_pixels=photo_facts.width_pixels if photo_facts else 0,
            height_pixels=photo_facts.height_pixels if photo_facts else 0,
            low_information=bool(low_information),
            vector=FeatureVector.unpack(vector) if vector else None,
            facts=photo_facts,
        )

    def put(self, data: bytes, photo: ObservedPhoto) -> None:
        """Keep what these bytes show."""
        row = (
            _digest(data),
            self.version,
            pack_class_scores(photo.class_scores),
            photo.low_information,
            photo.facts.pack() if photo.facts else None,
            photo.vector.pack() if photo.vector else None,
        )
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?)", row)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
