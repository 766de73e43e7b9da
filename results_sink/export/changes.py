"""The verb record: what the table's stream tells becomes a delta, which ``latest.json`` lays over the snapshot."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clock import utc_now
from pipeline.errors import BadExport
from pipeline.memory.table import MemoryTable
from pipeline.stream import changes_of
from pipeline.telemetry import Metric
from pipeline.unreadable import UnreadableItems
from results_sink.export.delta import write_delta
from results_sink.export.export import Exporter
from results_sink.export.manifest import DELTAS, LATEST_NAME, NAME_TIME, DeltaFile, scan_time_of
from results_sink.export.publish import CLOCK_SKEW, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, FileStore
    from pipeline.stream import Change
    from results_sink.export.manifest import Latest

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # of a snapshot of nothing: any export is newer


@dataclass(frozen=True)
class Recorder:
    """Writes deltas into an export. A batch that comes again makes the same file, and is named once."""

    files: FileStore
    vocabulary: Vocabulary
    new_id: Callable[[], str]
    clock: Clock = utc_now

    def record(self, changes: Sequence[Change]) -> DeltaFile | None:
        """Write the changes, of each image the last, and make ``latest.json`` name the file behind those before.

        What is published may have seen some of them, if the stream is late: these are left out, since they would lay
        an older state over a newer one. Where none is left, None is returned.

        Raises:
            RetryLater: the store failed; nothing is named, or all is.
            BadExport: what is published is damaged, or of a later schema version; nothing is named.
        """
        publisher = Publisher(self.files)
        latest, seen = publisher.latest()
        if seen is None:
            self._begin()
            latest, _ = publisher.latest()
        published = _undamaged(latest)
        news = [change for change in changes if not self._has_seen(published, change.changed_at)]
        if not news:
            return None
        delta = self._write(news)
        publisher.change(lambda latest: self._with(_undamaged(latest), delta))
        return delta

    def _write(self, changes: Sequence[Change]) -> DeltaFile:
        newest = {change.record.observation.image: change for change in changes}
        with tempfile.TemporaryDirectory(prefix="delta-") as work:
            path = Path(work) / "delta.parquet"
            write_delta(list(newest.values()), path, self.vocabulary)
            data = path.read_bytes()
            name = delta_name(changes)
            self.files.write(name, path)
        newest_change_at = max(change.changed_at for change in changes)
        return DeltaFile(name, len(newest), len(data), sha256(data).hexdigest(), newest_change_at)

    def _with(self, latest: Latest, delta: DeltaFile) -> Latest:
        """Return what is published with the delta as its last; one that is named already stays where it is."""
        if delta in latest.deltas or self._has_seen(latest, delta.newest_change_at):
            return latest
        others = tuple(each for each in latest.deltas if each.name != delta.name)
        return replace(latest, deltas=(*others, delta))

    def _has_seen(self, latest: Latest, changed_at: datetime) -> bool:
        """Return whether the scan of what is published began after such a change, by whichever clock was behind."""
        return changed_at < min(scan_time_of(latest.snapshot), self.clock()) - CLOCK_SKEW

    def _begin(self) -> None:
        """Export nothing at all, for deltas to lie upon before the first export."""
        Exporter(MemoryTable(), self.files, self.vocabulary, lambda: BEGINNING, self.new_id).export()


def delta_name(changes: Sequence[Change]) -> str:
    """Return the name of a batch's delta: by its first change, so that the same batch always has the same."""
    first = changes[0]
    return f"{DELTAS}{first.changed_at.strftime(NAME_TIME)}-{first.sequence.zfill(40)}-{len(changes):05d}.parquet"


def _undamaged(latest: Latest | None) -> Latest:
    if latest is None:
        raise BadExport(f"{LATEST_NAME} is damaged; the changes wait for a new export, which mends it")
    return latest


def make_handler(recorder: Recorder, logger: Logger, metrics: Metrics) -> Callable[[dict[str, Any], Any], None]:
    """Return the function's entry point, which takes parts of the table's stream: a part that fails comes again."""

    @metrics.log_metrics
    def handler(event: dict[str, Any], context: Any) -> None:
        del context
        unreadable = UnreadableItems()
        changes = list(unreadable.exclude_from(changes_of(event)))
        if unreadable.count:  # the changes behind them must not wait for somebody to repair them
            metrics.add_metric(name=Metric.UNREADABLE, unit="Count", value=unreadable.count)
            logger.error("records cannot be read", items=[str(item) for item in unreadable.examples])
        delta = recorder.record(changes) if changes else None
        if delta is None:
            logger.info("the snapshot has these changes already")
            return
        metrics.add_metric(name=Metric.CHANGED, unit="Count", value=delta.rows)
        logger.info("recorded", delta=delta.name, rows=delta.rows)

    return handler
