"""The verb publish: a snapshot that is whole becomes the one to read, and what nobody may read any more is removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline.errors import BadExport, RetryLater
from results_sink.export.manifest import (
    DELTAS,
    LATEST_NAME,
    MANIFEST_NAME,
    NAME_TIME,
    SNAPSHOTS,
    SUPERSEDED_NAME,
    FileSum,
    Latest,
    fold_of,
    is_later,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pipeline.ports import FileStore, FileVersion
    from results_sink.export.manifest import DeltaFile, Manifest

ABANDONED_AFTER = timedelta(days=1)  # chosen by us: over the longest export; younger halves may be being written
LOST_AFTER = timedelta(days=2)  # for deltas: over the day that Amazon DynamoDB keeps a change to be told
ATTEMPTS = 50  # chosen by us: each is lost to another writer, and there are few
CLOCK_SKEW = timedelta(minutes=1)  # chosen by us: between the clocks of the exporter and of the table

Kept = tuple["DeltaFile", ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export or a fold wrote, and whether it is the one to read: else a newer one was published meanwhile."""

    manifest: Manifest
    is_published: bool


@dataclass(frozen=True)
class Publisher:
    """Changes ``latest.json``, one writer at a time, and removes what it no longer leads to."""

    files: FileStore

    def latest(self) -> tuple[Latest | None, FileVersion | None]:
        """Return what is published, and the file that says so; a damaged file says nothing, and an export mends it.

        Raises:
            BadExport: it is of a later schema version, and is not to be written by this program.
        """
        seen = self.files.read_version(LATEST_NAME)
        try:
            return (None if seen is None else Latest.decode(seen.data, LATEST_NAME)), seen
        except BadExport:
            if seen and is_later(seen.data):
                raise
            return None, seen

    def change(self, changed: Callable[[Latest | None], Latest | None]) -> bool:
        """Write what ``changed`` makes of what is published, and return whether it made anything.

        It is asked again when somebody else was first, so that no change is lost.

        Raises:
            RetryLater: somebody else always was.
            BadExport: what is published is of a later schema version.
        """
        for _ in range(ATTEMPTS):
            latest, seen = self.latest()
            new = changed(latest)
            if new is None or new == latest:
                return new is not None
            if latest and seen and latest.snapshot != new.snapshot and not self._supersede(latest, seen.data):
                continue
            if self.files.write_if(LATEST_NAME, new.encode(), seen.version if seen else None):
                return True
        raise RetryLater(f"{LATEST_NAME} was changed by others {ATTEMPTS} times meanwhile")

    def _supersede(self, latest: Latest, data: bytes) -> bool:
        """Keep beside a snapshot what leads to it, before another is named; return False if somebody else just did.

        Whoever saw fewer deltas over it is late, is not going to be the one who names another, and writes nothing.
        """
        name = _superseded_name(latest.snapshot)
        kept = self.files.read_version(name)
        if kept and len(Latest.decode(kept.data, name).deltas) >= len(latest.deltas):
            return True
        return self.files.write_if(name, data, kept.version if kept else None)

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

    def since(self, before: Latest | None, manifest: Manifest) -> Callable[[Latest | None], Kept | None]:
        """Return what chooses the deltas that stay over a snapshot: those that its scan may not have seen all of.

        It raises RetryLater where that can no longer be told.

        Args:
            before: what was published before the scan began. What was folded since lies under an older scan only.
            manifest: the snapshot.
        """
        # DECISIONS.md, 29
        folded = cache(lambda snapshot: self._folded(before, snapshot))

        def kept(latest: Latest | None) -> Kept | None:
            if latest is None:
                if before is not None:
                    raise RetryLater(f"{LATEST_NAME} was damaged or removed while the table was scanned; export again")
                return ()
            if latest.snapshot > manifest.snapshot:
                return None  # a scan that began later has ended before: its snapshot is the newer one
            laid: dict[str, DeltaFile] = {}
            for delta in (*folded(latest.snapshot), *latest.deltas):
                laid.pop(delta.name, None)  # its last place counts: laid twice in order it changes nothing
                laid[delta.name] = delta
            oldest = manifest.scan_began_at - CLOCK_SKEW
            return tuple(delta for delta in laid.values() if delta.newest_change_at >= oldest)

        return kept

    def _folded(self, before: Latest | None, snapshot: str) -> Kept:
        """Return the deltas that were folded into a snapshot since ``before``, in their order."""
        root, count = fold_of(snapshot)
        known_root, known_count = fold_of(before.snapshot) if before else ("", 0)
        first = known_count if known_root == root else 0
        if first == count:
            return ()
        superseded = {}
        for name in self.files.names(f"{SNAPSHOTS}{root}"):
            folder, _, file = name.removeprefix(SNAPSHOTS).partition("/")
            if file == SUPERSEDED_NAME:
                superseded[fold_of(folder)] = folder
        if missing := [at for at in range(first, count) if (root, at) not in superseded]:
            raise RetryLater(
                f"what was folded while the table was scanned is no longer known; export again"
                f" (no {SUPERSEDED_NAME} of fold {missing[0]} of {root})"
            )
        each = (self._superseded(superseded[root, at]) for at in range(first, count))
        return tuple(delta for deltas in each for delta in deltas)

    def remove_old(self, kept_snapshots: int, now: datetime) -> None:
        """Remove snapshots beyond so many, halves that were abandoned, and deltas that no snapshot left needs.

        Of what a running export may have to lay over its own snapshot the deltas stay, and their list.
        """
        published, _ = self.latest()
        if published is None:
            return
        by_snapshot: dict[str, list[str]] = {}
        for name in self.files.names(SNAPSHOTS):
            by_snapshot.setdefault(name.removeprefix(SNAPSHOTS).partition("/")[0], []).append(name)
        over = {each: self._superseded(each) for each in by_snapshot if _superseded_name(each) in by_snapshot[each]}
        old = [each for each in _too_old(by_snapshot, kept_snapshots, now) if each != published.snapshot]
        recent = {each for each, deltas in over.items() if any(_is_recent(delta, now) for delta in deltas)}
        gone = set(old) - recent
        needed = {delta.name for each, deltas in over.items() if each not in gone for delta in deltas}
        needed |= {delta.name for delta in published.deltas}
        unnamed = {delta.name for each in gone for delta in over.get(each, ())} | self._lost(now)
        self.files.delete(sorted(unnamed - needed))
        for snapshot in old:
            spared = {_superseded_name(snapshot)} if snapshot in recent else set()
            doomed = [name for name in by_snapshot[snapshot] if name not in spared]
            # Without its manifest it is a half, which a later export removes if this one is stopped here.
            self.files.delete([name for name in doomed if name.endswith(f"/{MANIFEST_NAME}")])
            self.files.delete(doomed)

    def _superseded(self, snapshot: str) -> Kept:
        name = _superseded_name(snapshot)
        data = self.files.read(name)
        return Latest.decode(data, name).deltas if data else ()

    def _lost(self, now: datetime) -> set[str]:
        oldest = f"{DELTAS}{(now - LOST_AFTER).strftime(NAME_TIME)}"
        return {name for name in self.files.names(DELTAS) if name < oldest}


def _superseded_name(snapshot: str) -> str:
    return f"{SNAPSHOTS}{snapshot}/{SUPERSEDED_NAME}"


def _is_recent(delta: DeltaFile, now: datetime) -> bool:
    """Return whether an export that still runs may have begun before these changes."""
    return delta.newest_change_at >= now - ABANDONED_AFTER


def _too_old(by_snapshot: dict[str, list[str]], kept: int, now: datetime) -> list[str]:
    whole = sorted(each for each, names in by_snapshot.items() if f"{SNAPSHOTS}{each}/{MANIFEST_NAME}" in names)
    oldest_half = (now - ABANDONED_AFTER).strftime(NAME_TIME)
    halves = sorted(each for each in by_snapshot if each not in whole and each < oldest_half)
    return whole[: max(len(whole) - kept, 0)] + halves
