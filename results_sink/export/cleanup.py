"""Deletes files that no reader may need any more. One pure function, ``plan_deletions``, decides which and why."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.errors import BadExport
from results_sink.export.manifest import DELTAS, MANIFEST_NAME, SNAPSHOTS, SUPERSEDED_NAME, Latest, superseded_name
from results_sink.export.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.ports import FileStore, StoredFile

RUNNING = timedelta(days=1)  # chosen by us: over the longest export, and over the 15 minutes of a function


class Rule(StrEnum):
    """Why a file may be deleted. A rule that holds once holds for ever, so a late deletion is still safe."""

    REPLACED = "replaced"  # its snapshot was replaced by enough newer ones: ``latest.json`` never names it again
    HISTORY = "history"  # a replaced snapshot's list of deltas: no export that began before it still runs
    ABANDONED = "abandoned"  # its snapshot was never published, and its writer has ended
    UNNAMED = "unnamed"  # a delta that no kept file lists: its writer has ended, and names are never reused


@dataclass(frozen=True, slots=True)
class Deletion:
    """A file to delete, and the rule that permits it."""

    name: str
    rule: Rule


def remove_unneeded(files: FileStore, kept_snapshots: int) -> tuple[Deletion, ...]:
    """Delete what neither readers nor writers may need, and return what was deleted.

    Nothing is deleted if nothing is published or ``latest.json`` is damaged: a repair may need every file.
    """
    # latest.json is read before the files are listed: a snapshot published in between is listed, and too young to
    # delete. In the other order, a snapshot replaced in between would look as if it had never been published.
    latest, _ = Publisher(files).latest()
    if latest is None:
        return ()
    stored = [*files.listing(SNAPSHOTS), *files.listing(DELTAS)]
    superseded = dict(_read_superseded(files, stored))
    deletions = plan_deletions(stored, latest, superseded, files.now(), kept_snapshots)
    # Manifests first: a snapshot of which some files are gone must not look whole.
    manifests = [deletion.name for deletion in deletions if deletion.name.endswith(f"/{MANIFEST_NAME}")]
    files.delete(manifests)
    files.delete([deletion.name for deletion in deletions if deletion.name not in set(manifests)])
    return deletions


def _read_superseded(files: FileStore, stored: Iterable[StoredFile]) -> Iterator[tuple[str, Latest]]:
    for name in (file.name for file in stored if file.name.endswith(f"/{SUPERSEDED_NAME}")):
        data = files.read(name)
        with suppress(BadExport):  # nobody reaches deltas through a damaged list: they may be deleted when they are old
            if data is not None:
                yield _snapshot_of(name), Latest.decode(data, name)


def plan_deletions(
    stored: Sequence[StoredFile],
    latest: Latest,
    superseded: Mapping[str, Latest],
    now: datetime,
    kept_snapshots: int,
) -> tuple[Deletion, ...]:
    """Return which of these files may be deleted, in the order of their names (DECISIONS.md, 54).

    Args:
        stored: the files below ``snapshots/`` and ``deltas/``.
        latest: what is published.
        superseded: for each replaced snapshot, what was published when it was replaced.
        now: the store's time.
        kept_snapshots: how many published snapshots stay, including the latest; at least 1.
    """
    replaced = _replaced(stored, latest)
    removable = set(replaced[: max(len(replaced) - kept_snapshots + 1, 0)])
    deletions: list[Deletion] = []
    for snapshot, files in _by_snapshot(stored).items():
        if snapshot != latest.snapshot and (snapshot in removable or snapshot not in replaced):
            deletions += _snapshot_deletions(snapshot, files, now, is_replaced=snapshot in removable)
    history = {deletion.name for deletion in deletions if deletion.rule is Rule.HISTORY}
    kept = [latest, *(state for name, state in superseded.items() if superseded_name(name) not in history)]
    deletions += _unnamed_deltas(stored, kept, now)
    return tuple(sorted(deletions, key=lambda deletion: deletion.name))


def _unnamed_deltas(stored: Iterable[StoredFile], kept: Iterable[Latest], as_of: datetime) -> Iterator[Deletion]:
    named = {delta.name for state in kept for delta in state.deltas}
    for file in stored:
        if file.name.startswith(DELTAS) and file.name not in named and _is_settled(file, as_of):
            yield Deletion(file.name, Rule.UNNAMED)


def _replaced(stored: Iterable[StoredFile], latest: Latest) -> list[str]:
    """Return the snapshots that were published and then replaced, in the order of their replacement."""
    lists = [file for file in stored if file.name.endswith(f"/{SUPERSEDED_NAME}")]
    lists.sort(key=lambda file: (file.modified_at, file.name))
    # The latest snapshot may have a list too, from a writer that was about to replace it.
    return [snapshot for snapshot in (_snapshot_of(file.name) for file in lists) if snapshot != latest.snapshot]


def _by_snapshot(stored: Iterable[StoredFile]) -> dict[str, list[StoredFile]]:
    snapshots: dict[str, list[StoredFile]] = {}
    for file in stored:
        if file.name.startswith(SNAPSHOTS):
            snapshots.setdefault(_snapshot_of(file.name), []).append(file)
    return snapshots


def _snapshot_deletions(
    snapshot: str, files: Sequence[StoredFile], now: datetime, *, is_replaced: bool
) -> Iterator[Deletion]:
    """Yield the deletions of a snapshot that enough newer ones replaced, or that was never published."""
    if not is_replaced:
        # Its youngest file counts: an export may have begun long ago and still be writing.
        if all(_is_settled(file, now) for file in files):
            yield from (Deletion(file.name, Rule.ABANDONED) for file in files)
        return
    for file in files:
        if file.name != superseded_name(snapshot):
            yield Deletion(file.name, Rule.REPLACED)
        elif _is_settled(file, now):
            yield Deletion(file.name, Rule.HISTORY)


def _is_settled(file: StoredFile, as_of: datetime) -> bool:
    """Return whether every process that wrote the file, or began before it was written, has ended by now."""
    return file.modified_at < as_of - RUNNING


def _snapshot_of(name: str) -> str:
    return name.removeprefix(SNAPSHOTS).partition("/")[0]
