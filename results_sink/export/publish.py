"""Publishes snapshots: the only module that writes ``latest.json``, without losing changes made during a scan."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline.errors import BadExport, RetryLater
from results_sink.export.manifest import (
    DELTAS,
    LATEST_NAME,
    MANIFEST_NAME,
    SNAPSHOTS,
    DeltaFile,
    FileSum,
    Latest,
    Manifest,
    is_later,
    scan_time_of,
    superseded_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ports import FileStore, FileVersion

ATTEMPTS = 30  # chosen by us: with the waits below some 25 s, within the 60 s of the function that records changes
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0  # at most, before another attempt; chosen by us: a write takes 30 ms
CLOCK_TOLERANCE = timedelta(
    minutes=1
)  # chosen by us: S3 and DynamoDB have clocks of their own, and report whole seconds

Deltas = tuple[DeltaFile, ...]
ChooseDeltas = Callable[[Latest | None], Deltas | None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export or a fold wrote, and whether it was published; if not, a newer one was published meanwhile."""

    manifest: Manifest
    is_published: bool


@dataclass(frozen=True)
class Publisher:
    """Changes ``latest.json``, one writer at a time by a conditional write."""

    files: FileStore
    sleep: Callable[[float], object] = time.sleep

    def latest(self) -> tuple[Latest | None, FileVersion | None]:
        """Return what is published, and its file; None for a damaged file, which an export replaces.

        Raises:
            BadExport: it is of a later schema version, which this program must not overwrite.
        """
        seen = self.files.read_version(LATEST_NAME)
        try:
            return (None if seen is None else Latest.decode(seen.data, LATEST_NAME)), seen
        except BadExport:
            if seen and is_later(seen.data):
                raise
            return None, seen

    def change(self, changed: Callable[[Latest | None], Latest | None]) -> bool:
        """Write what ``changed`` returns for what is published; return False if that is None.

        If another writer was first, ``changed`` is called again, so that no change is lost.

        Raises:
            RetryLater: other writers were first every time.
            BadExport: what is published is of a later schema version.
        """
        for attempt in range(ATTEMPTS):
            latest, seen = self.latest()
            new = changed(latest)
            if new is None or new == latest:
                return new is not None
            is_ready = not (latest and seen) or latest.snapshot == new.snapshot or self._supersede(latest, seen.data)
            if is_ready and self.files.write_if(LATEST_NAME, new.encode(), seen.version if seen else None):
                return True
            # A random wait lets colliding writers pass one after the other.
            self.sleep(random.uniform(0, min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)))  # noqa: S311 - no secret
        raise RetryLater(f"{LATEST_NAME} was changed by others {ATTEMPTS} times in a row")

    def _supersede(self, latest: Latest, data: bytes) -> bool:
        """Copy ``latest.json`` beside the snapshot that it names; return False if another writer was first.

        This comes before ``latest.json`` names another snapshot: otherwise a crash could lose the list of deltas.
        A writer that saw fewer deltas than the copy has is late: its write of ``latest.json`` will fail anyway.
        """
        name = superseded_name(latest.snapshot)
        kept = self.files.read_version(name)
        if kept and len(Latest.decode(kept.data, name).deltas) >= len(latest.deltas):
            return True
        return self.files.write_if(name, data, kept.version if kept else None)

    def publish(self, manifest: Manifest, work: Path, choose_deltas: ChooseDeltas) -> bool:
        """Make this snapshot the one to read, under the deltas chosen from what is published.

        Returns:
            False if ``choose_deltas`` returns None, which means that the snapshot must not be published.
        """
        path, data = work / MANIFEST_NAME, manifest.encode()
        path.write_bytes(data)
        name = f"{SNAPSHOTS}{manifest.snapshot}/{MANIFEST_NAME}"
        file = FileSum(name, len(data), sha256(data).hexdigest(), self.files.write(name, path))

        def changed(latest: Latest | None) -> Latest | None:
            if latest is not None and latest.snapshot == manifest.snapshot:
                # The answer of an earlier attempt was lost, and so its repetition was refused (DECISIONS.md, 108).
                return latest
            deltas = choose_deltas(latest)
            if deltas is None:
                return None
            new = Latest(manifest.snapshot, file, deltas, latest.snapshot if latest else "")
            self._require_files(manifest, new)
            return new

        return self.change(changed)

    def _require_files(self, manifest: Manifest, latest: Latest) -> None:
        """Refuse to name missing files: a cleanup deletes files that a writer leaves unpublished for more than a day.

        Raises:
            RetryLater: one is missing.
        """
        folder = f"{SNAPSHOTS}{manifest.snapshot}/"
        stored = {*self.files.names(folder), *(self.files.names(DELTAS) if latest.deltas else ())}
        needed = [latest.manifest.name, *(folder + part.name for part in manifest.files)]
        for name in (*needed, *(delta.name for delta in latest.deltas)):
            if name not in stored:
                raise RetryLater(f"{name} was cleaned up because the export took too long to publish it; export again")


def deltas_since_scan(files: FileStore, before: str, manifest: Manifest) -> ChooseDeltas:
    """Return a function that chooses the deltas of a scan's snapshot: those with changes that the scan may have missed.

    It chooses None, so that nothing is published, if a scan that began later is published: the deltas between the two
    scans are no longer listed.

    Args:
        files: the export.
        before: the snapshot that was published when the scan began; empty if none was.
        manifest: of the snapshot.

    The returned function raises RetryLater if the deltas since the scan began are no longer all known.
    """
    # What changed during the scan is only in the deltas, so none may be lost (DECISIONS.md, 29 and
    # DECISIONS.md, 53).
    scan_began_at = manifest.scan_began_at

    def choose(latest: Latest | None) -> Deltas | None:
        if latest is None and before:
            raise RetryLater(f"{LATEST_NAME} was damaged or removed while the table was scanned; export again")
        if latest is None:
            return ()
        # A machine with a wrong clock may have named a snapshot of the future, which must not block later exports.
        if scan_began_at < scan_time_of(latest.snapshot) <= files.now():
            return None
        published = _published_since(files, latest, before)
        deltas = {delta.name: delta for state in published for delta in state.deltas}
        return tuple(delta for delta in deltas.values() if not is_before_scan(delta.newest_change_at, scan_began_at))

    return choose


def is_before_scan(changed_at: datetime, scan_began_at: datetime) -> bool:
    """Return whether a scan that began then must have seen a change of that time, since it reads consistently.

    Both times are AWS's: DynamoDB stamps the change, and S3's clock says when the scan began.
    """
    return changed_at < scan_began_at - CLOCK_TOLERANCE


def _published_since(files: FileStore, latest: Latest, snapshot: str) -> list[Latest]:
    """Return what was published from that snapshot (empty: the first one) to the latest, the oldest first."""
    states = [latest]
    while states[-1].snapshot != snapshot and (snapshot or states[-1].previous):
        previous = states[-1].previous
        name = superseded_name(previous)
        is_circular = any(state.snapshot == previous for state in states)
        data = files.read(name) if previous and not is_circular else None
        if data is None:
            raise RetryLater(
                "what was published while the table was scanned is no longer known; export again"
                f" (before {states[-1].snapshot})"
            )
        states.append(Latest.decode(data, name))
    return states[::-1]
