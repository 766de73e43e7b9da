"""The verb record: changes from the table's stream become a delta, which ``latest.json`` adds to the snapshot."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadExport
from pipeline.memory.table import MemoryTable
from pipeline.stream import Change, changes_of
from pipeline.telemetry import Metric
from pipeline.unreadable import UnreadableItems
from results_sink.export.delta import write_delta
from results_sink.export.export import Exporter
from results_sink.export.manifest import (
    DELTAS,
    LATEST_NAME,
    NAME_TIME,
    SNAPSHOTS,
    SUPERSEDED_NAME,
    DeltaFile,
    Latest,
    scan_time_of,
)
from results_sink.export.publish import Publisher, is_before_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # the scan time of the empty snapshot: any export is newer


@dataclass(frozen=True)
class Recorder:
    """Writes deltas into an export. A batch that is delivered twice is listed once."""

    files: FileStore
    vocabulary: Vocabulary
    new_id: Callable[[], str]

    def record(self, changes: Sequence[Change]) -> DeltaFile | None:
        """Write the last change of each image as a delta, and append it to the list in ``latest.json``.

        If the stream is late, the published snapshot may already contain some of the changes. These are left out,
        because they would put an older state over a newer one. Returns None if no change is left.

        Raises:
            RetryLater: the store failed; the delta is listed as a whole or not at all.
            BadExport: what is published is damaged, missing, or of a later schema version; the delta is not listed.
        """
        publisher = Publisher(self.files)
        latest = self._published(publisher)
        unseen = [change for change in changes if not _is_exported(latest, change.changed_at)]
        if not unseen:
            return None
        delta = self._write(unseen, latest)
        publisher.change(lambda newest: _with_delta(_undamaged(newest), delta))
        return delta

    def _published(self, publisher: Publisher) -> Latest:
        latest, seen = publisher.latest()
        if seen is None:
            was_published = any(name.endswith(f"/{SUPERSEDED_NAME}") for name in self.files.names(SNAPSHOTS))
            latest, seen = (
                publisher.latest()
            )  # read again: others may have published twice before the files were listed
            if seen is None and was_published:
                # An empty snapshot in its place would hide the whole catalogue from searches.
                raise BadExport(f"{LATEST_NAME} was removed; the changes wait for a new export, which writes it")
        if seen is None:
            self._begin()
            latest, _ = publisher.latest()
        return _undamaged(latest)

    def _begin(self) -> None:
        """Publish an empty snapshot, the base of deltas that come before the first export."""
        empty = Exporter(
            MemoryTable(),
            self.files,
            self.vocabulary,
            self.new_id,
            scan_began_at=BEGINNING,
            # Another shard of the stream may have published one meanwhile: its snapshot stays, with its deltas.
            choose_deltas=lambda latest: () if latest is None else None,
        )
        empty.export()

    def _write(self, changes: Sequence[Change], latest: Latest) -> DeltaFile:
        newest = {change.record.observation.image: change for change in changes}
        with tempfile.TemporaryDirectory(prefix="delta-") as work:
            path = Path(work) / "delta.parquet"
            write_delta(list(newest.values()), path, self.vocabulary)
            data = path.read_bytes()
            digest = sha256(data).hexdigest()
            stem = delta_stem(changes)
            for delta in latest.deltas:
                if delta.name.startswith(stem) and delta.sha256 == digest:
                    return delta  # the batch was delivered again, because the first answer was lost
            # The id makes the name unique. Names that are never reused can be cleaned up without asking who writes.
            name = f"{stem}-{self.new_id()}.parquet"
            version = self.files.write(name, path)
        newest_change_at = max(change.changed_at for change in changes)
        return DeltaFile(name, len(newest), len(data), digest, newest_change_at, version)


def delta_stem(changes: Sequence[Change]) -> str:
    """Return the start of the name of a batch's delta: its first change, and the number of changes."""
    first = changes[0]
    return f"{DELTAS}{first.changed_at.strftime(NAME_TIME)}-{first.sequence.zfill(40)}-{len(changes):05d}"


def _with_delta(latest: Latest, delta: DeltaFile) -> Latest:
    """Return what is published with the delta appended, unless it is listed already."""
    if delta in latest.deltas or _is_exported(latest, delta.newest_change_at):
        return latest
    return replace(latest, deltas=(*latest.deltas, delta))


def _is_exported(latest: Latest, changed_at: datetime) -> bool:
    return is_before_scan(changed_at, scan_time_of(latest.snapshot))


def _undamaged(latest: Latest | None) -> Latest:
    if latest is None:
        raise BadExport(f"{LATEST_NAME} is damaged; the changes wait for a new export, which mends it")
    return latest


def make_handler(recorder: Recorder, logger: Logger, metrics: Metrics) -> Callable[[dict[str, Any], Any], None]:
    """Return the function's entry point for batches of the table's stream; a failed batch is delivered again."""

    @metrics.log_metrics
    def handler(event: dict[str, Any], context: Any) -> None:
        del context
        unreadable = UnreadableItems()
        changes = list(unreadable.exclude_from(changes_of(event)))
        if unreadable.count:  # later changes must not wait until somebody repairs these
            metrics.add_metric(name=Metric.UNREADABLE, unit="Count", value=unreadable.count)
            logger.error("records cannot be read", items=[str(item) for item in unreadable.examples])
        delta = recorder.record(changes) if changes else None
        if delta is None:
            logger.info("the snapshot has these changes already")
            return
        metrics.add_metric(name=Metric.CHANGED, unit="Count", value=delta.rows)
        logger.info("recorded", delta=delta.name, rows=delta.rows)

    return handler
