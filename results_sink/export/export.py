"""The verb export: the table becomes a snapshot of Parquet files that is its own index."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batches import batched
from pipeline.coverage import Coverage
from pipeline.standard_ids import StandardIds
from pipeline.telemetry import Metric
from results_sink.export import tables
from results_sink.export.cleanup import remove_unneeded
from results_sink.export.manifest import KeywordRows, Manifest, snapshot_name
from results_sink.export.postings_layout import Sizes
from results_sink.export.publish import ChooseDeltas, Exported, Publisher, deltas_since_scan
from results_sink.export.rows import ExportStats, RecordSource
from results_sink.export.snapshot_writer import SnapshotWriter, work_folder
from results_sink.export.step_files import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from aws_lambda_powertools import Logger, Metrics

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from pipeline.records import Record
    from pipeline.unreadable import UnreadableItem

    Over = Callable[[Iterable[Record | UnreadableItem]], Iterable[Record | UnreadableItem]]

KEPT_SNAPSHOTS = 3  # chosen by us: a reader of a replaced snapshot has the time of two more exports

RESERVE_S = 30.0  # kept at the end of a call for the cleanup; chosen by us: it takes seconds

OVERTAKEN = "a newer one was published meanwhile; this one was not"


@dataclass(frozen=True)
class Exporter:
    """Exports a table into a file store, with temporary files in ``work``, a local folder.

    Times come from the file store, because a machine's own clock may be wrong.

    A fold exports ``rows`` of an earlier export instead of the table: ``scan_began_at`` is then that export's, and
    ``choose_deltas`` decides which deltas remain.
    """

    table: RecordSource
    files: FileStore
    vocabulary: Vocabulary
    new_id: Callable[[], str]
    work: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    kept_snapshots: int = KEPT_SNAPSHOTS
    sizes: Sizes = field(default_factory=Sizes)
    choose_deltas: ChooseDeltas | None = None
    scan_began_at: datetime | None = None
    rows: Callable[[ExportStats], Iterable[Any]] | None = None
    standard_ids: StandardIds = field(default_factory=StandardIds.load)

    def export(self, over: Over = iter) -> Exported:
        """Write a snapshot, then make ``latest.json`` name it, then remove snapshots that are too old.

        Until ``latest.json`` is written, readers see the previous snapshot, also if anything fails. It is not written
        if a newer snapshot is published.

        Args:
            over: sees the records pass by, to show progress.

        Raises:
            BadSettings: the folder for temporary files is too small.
            BadExport: what is published is of a later schema version.
            RetryLater: what was folded during the scan is no longer known; nothing is published.
        """
        publisher = Publisher(self.files)
        before, _ = publisher.latest()  # a store that does not answer is reported before the table is read
        with work_folder(self.work) as work:
            manifest = self._write(work, over)
            choose_deltas = self.choose_deltas or deltas_since_scan(
                self.files, before.snapshot if before else "", manifest
            )
            is_published = publisher.publish(manifest, work, choose_deltas)
        remove_unneeded(self.files, self.kept_snapshots)
        return Exported(manifest, is_published)

    # Not as steps of one segment, which would store and read all rows twice more (DECISIONS.md, 163).
    def _write(self, work: Path, over: Over) -> Manifest:
        """Write the files of a snapshot: spill sorted images, merge them, spill postings, merge them."""
        stats, coverage = ExportStats(), Coverage()
        began_at = self.scan_began_at or self.files.now()
        writer = SnapshotWriter(snapshot_name(began_at, self.new_id()), self.files, self.vocabulary, work, self.sizes)
        records = over(self.table.scan())
        images = writer.runs("images-runs", tables.IMAGES_ORDER)
        for table in self.rows(stats) if self.rows else raw_images(stats, records, self.sizes):
            images.add(table)
        ended_at = self.files.now()
        lexicon = tables.Lexicon(list(stats.numbers), self.vocabulary)
        postings = writer.runs("postings-runs", tables.POSTINGS_ORDER)
        keywords = [
            KeywordRows(keyword_id, stats.postings[number]) for keyword_id, number in sorted(stats.numbers.items())
        ]
        return writer.manifest(
            stats,
            coverage,
            self.standard_ids,
            began_at=began_at,
            ended_at=ended_at,
            images=writer.write_images(images.merged(), lexicon, coverage, postings),
            postings=writer.write_postings(postings.merged(), lexicon, keywords),
        )


def raw_images(stats: ExportStats, records: Iterable[Record | UnreadableItem], sizes: Sizes) -> Iterator[Any]:
    """Count the records, and yield those that become rows as tables, whose keywords are numbers of the stats."""
    for batch in batched(stats.select(records), sizes.batch_records):
        yield tables.raw_images(batch, stats.keyword_lists(batch))


@dataclass(frozen=True)
class Work:
    """What the function does, by its event: ``fold`` within so many seconds, plan an export, or do a step of one.

    A plan is a list of stages, each a list of events for this function. The events of a stage may be handled at once.
    """

    export: Callable[[], Exported]
    fold: Callable[[float], Exported | None]
    plan: Callable[[], list[list[dict[str, object]]]]
    step: Callable[[Step], Exported | None]


def make_handler(
    work: Path, does: Work, logger: Logger, metrics: Metrics
) -> Callable[[object, Any], dict[str, object]]:
    """Return the function's entry point: it does what the event says, by default a whole export, and says what it did.

    The ``work`` folder must belong to the function alone: files left by an earlier call that ran out of time are
    removed first.
    """

    @metrics.log_metrics
    def handler(event: object, context: Any) -> dict[str, object]:
        shutil.rmtree(work, ignore_errors=True)
        wanted = event if isinstance(event, dict) else {}
        if wanted.get("plan"):
            return {"stages": does.plan()}
        if wanted.get("fold"):
            exported = does.fold(context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
        elif "stage" in wanted:
            exported = does.step(Step.parse(wanted))
        else:
            exported = does.export()
        if exported is None:
            # There are too few deltas to be worth a fold, or steps of this export are left.
            return {"snapshot": None, "rows": 0, "published": False}
        snapshot, rows = exported.manifest.snapshot, exported.manifest.counts.rows
        is_published = exported.is_published
        if exported.manifest.counts.unreadable:
            metrics.add_metric(name=Metric.UNREADABLE, unit="Count", value=exported.manifest.counts.unreadable)
        if is_published:
            metrics.add_metric(name=Metric.EXPORTED, unit="Count", value=rows)
            logger.info("exported", snapshot=snapshot, rows=rows)
        else:
            logger.warning(OVERTAKEN, snapshot=snapshot, rows=rows)
        return {"snapshot": snapshot, "rows": rows, "published": is_published}

    return handler
