"""The verb export: the table becomes a snapshot of Parquet files that is its own index."""

from __future__ import annotations

import errno
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batches import batched
from pipeline.coverage import Coverage
from pipeline.errors import BadSettings, CallerError
from pipeline.standard_ids import StandardIds
from pipeline.telemetry import Metric
from pipeline.unreadable import UnreadableItems
from results_sink.export import coverage as covered
from results_sink.export import tables
from results_sink.export.cleanup import remove_unneeded
from results_sink.export.external_sort import Runs
from results_sink.export.keyword_table import keywords_table
from results_sink.export.manifest import SNAPSHOTS, KeywordRows, Manifest, snapshot_name
from results_sink.export.part_writer import Parts, Shape
from results_sink.export.postings_layout import Sizes, divide_keywords, row_group_sizes
from results_sink.export.publish import Exported, Publisher, deltas_since_scan
from results_sink.export.rows import ExportStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from aws_lambda_powertools import Logger, Metrics

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from pipeline.records import Record
    from results_sink.export.manifest import PartFile
    from results_sink.export.publish import ChooseDeltas
    from results_sink.export.rows import RecordSource

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

    def export(self, over: Callable[[Iterable[Record]], Iterable[Record]] = iter) -> Exported:
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
        self.work.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self.work).free
        try:
            with tempfile.TemporaryDirectory(prefix="export-", dir=self.work) as work:
                manifest = _Snapshot(self, Path(work)).write(over)
                choose_deltas = self.choose_deltas or deltas_since_scan(self.files, before, manifest)
                is_published = publisher.publish(manifest, Path(work), choose_deltas)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise BadSettings(
                    f"there is no space left for the export; {self.work} had {free_bytes:,} bytes free"
                ) from error
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise CallerError(f"{error.filename} cannot be written: {error.strerror}") from error
            raise
        remove_unneeded(self.files, self.kept_snapshots)
        return Exported(manifest, is_published)


class _Snapshot:
    """One snapshot while it is being written: spill sorted images, merge them, spill postings, merge them."""

    def __init__(self, exporter: Exporter, work: Path) -> None:
        self._exporter, self._work = exporter, work
        self._stats, self._coverage, self._sizes = ExportStats(), Coverage(), exporter.sizes
        self.unreadable = UnreadableItems()

    def write(self, over: Callable[[Iterable[Record]], Iterable[Record]]) -> Manifest:
        began_at = self._exporter.scan_began_at or self._exporter.files.now()
        name = snapshot_name(began_at, self._exporter.new_id())
        # By one process: these runs hold keywords by the numbers that it gives out (DECISIONS.md, 130).
        runs = self._spill(self._rows(over))
        ended_at = self._exporter.files.now()
        lexicon = tables.Lexicon(list(self._stats.numbers), self._exporter.vocabulary)
        postings_runs = Runs(self._work / "postings-runs", tables.POSTINGS_ORDER, self._sizes)
        images = self._write_images(name, runs, lexicon, postings_runs)
        postings = self._write_postings(name, lexicon, postings_runs)
        keywords = keywords_table(self._stats.numbers, self._exporter.vocabulary, self._exporter.standard_ids)
        return Manifest(
            snapshot=name,
            scan_began_at=began_at,
            scan_ended_at=ended_at,
            counts=replace(self._stats.counts, unreadable=self.unreadable.count),
            model_versions=tuple(sorted(self._stats.model_versions)),
            taxonomy_versions=tuple(sorted(self._stats.taxonomy_versions)),
            vocabulary_version=self._exporter.vocabulary.version,
            images_columns=tables.column_types(lexicon.images_schema),
            postings_columns=tables.column_types(lexicon.postings_schema),
            images=images,
            postings=postings,
            coverage_columns=tables.column_types(covered.COVERAGE_SCHEMA),
            coverage=self._write_table(name, "coverage", covered.coverage_table(self._coverage)),
            keywords_columns=tables.column_types(keywords.schema),
            keywords=self._write_table(name, "keywords", keywords),
        )

    def _rows(self, over: Callable[[Iterable[Record]], Iterable[Record]]) -> Iterator[Any]:
        if self._exporter.rows is not None:
            yield from self._exporter.rows(self._stats)
            return
        records = over(self.unreadable.exclude_from(self._exporter.table.scan()))
        for batch in batched(self._stats.select(records), self._sizes.batch_records):
            yield tables.raw_images(batch, self._stats.keyword_lists(batch))

    def _spill(self, batches: Iterable[Any]) -> Runs:
        runs = Runs(self._work / "images-runs", tables.IMAGES_ORDER, self._sizes)
        for table in batches:
            runs.add(table)
        return runs

    def _write_images(self, name: str, runs: Runs, lexicon: tables.Lexicon, postings: Runs) -> tuple[PartFile, ...]:
        shape = Shape("images", lexicon.images_schema, self._sizes.images_part_rows)
        parts = self._parts(name, shape, repeat(self._sizes.row_group_rows))
        rows = 0
        for table in runs.merged():
            parts.add(lexicon.images(table))
            covered.count(self._coverage, table)
            postings.add(lexicon.raw_postings(table, rows))
            rows += len(table)
        return parts.close()

    def _write_postings(self, name: str, lexicon: tables.Lexicon, runs: Runs) -> tuple[PartFile, ...]:
        counts = self._stats.postings
        keywords = [
            KeywordRows(keyword_id, counts[number]) for keyword_id, number in sorted(self._stats.numbers.items())
        ]
        sizes = row_group_sizes((keyword.rows for keyword in keywords), self._sizes.row_group_rows)
        shape = Shape("postings", lexicon.postings_schema, self._sizes.postings_part_rows)
        parts = self._parts(name, shape, sizes)
        for table in runs.merged():
            parts.add(lexicon.postings(table))
        files = parts.close()
        inside = divide_keywords(keywords, [file.rows for file in files])
        return tuple(replace(file, keywords=part_keywords) for file, part_keywords in zip(files, inside, strict=True))

    def _write_table(self, name: str, folder: str, table: Any) -> tuple[PartFile, ...]:
        """Write a table that fits into memory as one file with one row group."""
        rows = max(1, len(table))
        parts = self._parts(name, Shape(folder, table.schema, rows), repeat(rows))
        parts.add(table)
        return parts.close()

    def _parts(self, snapshot: str, shape: Shape, sizes: Iterator[int]) -> Parts:
        def deliver(part: str, path: Path) -> str:
            return self._exporter.files.write(f"{SNAPSHOTS}{snapshot}/{part}", path)

        return Parts(self._work, shape, sizes, deliver)


def make_handler(
    exporter: Exporter, logger: Logger, metrics: Metrics, fold: Callable[[float], Exported | None] = lambda _: None
) -> Callable[[object, Any], dict[str, object]]:
    """Return the function's entry point: it folds if the event says ``fold``, else exports, and answers what it wrote.

    ``fold`` receives the seconds it has. The exporter's ``work`` folder must belong to the function alone: files left
    by an earlier call that ran out of time are removed first.
    """

    @metrics.log_metrics
    def handler(event: object, context: Any) -> dict[str, object]:
        shutil.rmtree(exporter.work, ignore_errors=True)
        if isinstance(event, dict) and event.get("fold"):
            exported = fold(context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
        else:
            exported = exporter.export()
        if exported is None:
            return {"snapshot": None, "rows": 0, "published": False}  # too few deltas to be worth a fold
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
