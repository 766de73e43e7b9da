"""The verb publish: a snapshot that is whole becomes the one to read, and what nobody may read any more is removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline.errors import BadExport, RetryLater
from results_sink.manifest import (
    DELTAS,
    LATEST_NAME,
    MANIFEST_NAME,
    NAME_TIME,
    SNAPSHOTS,
    SUPERSEDED_NAME,
    FileSum,
    Latest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from pipeline.ports import FileStore, FileVersion
    from results_sink.manifest import DeltaFile, Manifest

ABANDONED_AFTER = timedelta(days=1)  # chosen by us: over the longest export; younger halves may be being written
LOST_AFTER = timedelta(days=2)  # for deltas: over the day that Amazon DynamoDB keeps a change to be told
ATTEMPTS = 50  # chosen by us: each is lost to another writer, and there are few
CLOCK_SKEW = timedelta(minutes=1)  # chosen by us: between the clocks of the exporter and of the table

Kept = tuple["DeltaFile", ...]


@dataclass(frozen=True)
class Publisher:
    """Changes ``latest.json``, one writer at a time, and removes what it no longer leads to."""

    files: FileStore

    def latest(self) -> tuple[Latest | None, FileVersion | None]:
        """Return what is published, and the file that says so; a damaged file says nothing, and a new one mends it."""
        seen = self.files.read_version(LATEST_NAME)
        try:
            return (None if seen is None else Latest.decode(seen.data, LATEST_NAME)), seen
        except BadExport:
            return None, seen

    def change(self, changed: Callable[[Latest | None], Latest | None]) -> bool:
        """Write what ``changed`` makes of what is published, and return whether it made anything.

        It is asked again when somebody else was first, so that no change is lost.

        Raises:
            RetryLater: somebody else always was.
        """
        for _ in range(ATTEMPTS):
            latest, seen = self.latest()
            new = changed(latest)
            if new is None or new == latest:
                return new is not None
            if self.files.write_if(LATEST_NAME, new.encode(), seen.version if seen else None):
                if latest and seen and latest.snapshot != new.snapshot:
                    self.files.write_if(f"{SNAPSHOTS}{latest.snapshot}/{SUPERSEDED_NAME}", seen.data, None)
                return True
        raise RetryLater(f"{LATEST_NAME} was changed by others {ATTEMPTS} times meanwhile")

    def publish(self, manifest: Manifest, work: Path, kept: Callable[[Latest | None], Kept | None]) -> bool:
        """Make this snapshot the one to read, under the deltas that ``kept`` chooses of those published.

        Where it chooses None the snapshot is not published, since a newer one is.
        """
        path, data = work / MANIFEST_NAME, manifest.encode()
        path.write_bytes(data)
        name = f"{SNAPSHOTS}{manifest.snapshot}/{MANIFEST_NAME}"
        self.files.write(name, path)
        file = FileSum(name, len(data), sha256(data).hexdigest())

        def changed(latest: Latest | None) -> Latest | None:
            deltas = kept(latest)
            return None if deltas is None else Latest(manifest.snapshot, file, deltas)

        return self.change(changed)

    def remove_old(self, kept_snapshots: int, now: datetime) -> None:
        """Remove snapshots beyond so many, halves that were abandoned, and deltas that no snapshot left needs."""
        published, _ = self.latest()
        if published is None:
            return
        by_snapshot: dict[str, list[str]] = {}
        for name in self.files.names(SNAPSHOTS):
            by_snapshot.setdefault(name.removeprefix(SNAPSHOTS).partition("/")[0], []).append(name)
        old = [each for each in _too_old(by_snapshot, kept_snapshots, now) if each != published.snapshot]
        needed = {delta.name for delta in published.deltas}
        needed |= self._deltas_of(each for each in by_snapshot if each not in old)
        self.files.delete(sorted((self._deltas_of(old) | self._lost(now)) - needed))
        for snapshot in old:
            # Without its manifest it is a half, which a later export removes if this one is stopped here.
            self.files.delete([f"{SNAPSHOTS}{snapshot}/{MANIFEST_NAME}"])
            self.files.delete(by_snapshot[snapshot])

    def _deltas_of(self, snapshots: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for snapshot in snapshots:
            data = self.files.read(f"{SNAPSHOTS}{snapshot}/{SUPERSEDED_NAME}")
            found |= {delta.name for delta in Latest.decode(data, SUPERSEDED_NAME).deltas} if data else set()
        return found

    def _lost(self, now: datetime) -> set[str]:
        oldest = f"{DELTAS}{(now - LOST_AFTER).strftime(NAME_TIME)}"
        return {name for name in self.files.names(DELTAS) if name < oldest}


def since(began_at: datetime, snapshot: str) -> Callable[[Latest | None], Kept | None]:
    """Return which deltas stay over a snapshot whose scan began then: those that it may not have seen all of."""

    def kept(latest: Latest | None) -> Kept | None:
        if latest is None:
            return ()
        if latest.snapshot > snapshot:
            return None  # a scan that began later has ended before: its snapshot is the newer one
        return tuple(delta for delta in latest.deltas if delta.newest_change_at >= began_at - CLOCK_SKEW)

    return kept


def _too_old(by_snapshot: dict[str, list[str]], kept: int, now: datetime) -> list[str]:
    whole = sorted(each for each, names in by_snapshot.items() if f"{SNAPSHOTS}{each}/{MANIFEST_NAME}" in names)
    oldest_half = (now - ABANDONED_AFTER).strftime(NAME_TIME)
    halves = sorted(each for each in by_snapshot if each not in whole and each < oldest_half)
    return whole[: max(len(whole) - kept, 0)] + halves
