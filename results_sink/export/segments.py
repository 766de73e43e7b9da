"""The verb export in segments: many processes write one snapshot in stages of steps, and a last step publishes it.

- ``scan`` reads a segment of the table, sorts its rows by image, and divides them into ranges of images.
- ``images`` merges a range of images into files of ``images/``, and divides their postings into ranges of keywords.
- ``postings`` merges a range of keywords into files of ``postings/``.
- ``publish`` writes the manifest and ``latest.json``.

An export by one function writes the same files without steps between them (DECISIONS.md, 163).
A step is done once its report exists, so whoever repeats it repeats nothing that is done (DECISIONS.md, 126).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import accumulate, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pipeline.coverage import Coverage
from pipeline.errors import BadExport, RetryLater
from pipeline.unreadable import readable
from results_sink.export import parquet, tables
from results_sink.export.cleanup import remove_unneeded
from results_sink.export.export import Exporter, raw_images
from results_sink.export.manifest import KeywordRows, Manifest, PartFile, snapshot_name
from results_sink.export.publish import Exported, Publisher, deltas_since_scan
from results_sink.export.rows import ExportStats
from results_sink.export.snapshot_writer import SnapshotWriter, work_folder
from results_sink.export.step_files import Plan, Report, SortedRows, Stage, Step, plan_name, step_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.ports import FileStore, RecordTable
    from results_sink.export.external_sort import Runs

SAMPLED = 64  # records for each range, chosen by us: at 128 ranges the largest is about a third above the mean


@dataclass(frozen=True)
class SegmentedExport:
    """Exports a table as its exporter does, in steps. Any process may do any step, once those before are done."""

    exporter: Exporter
    table: RecordTable
    segments: int

    def plan(self) -> tuple[tuple[Step, ...], ...]:
        """Begin an export, and return its stages: steps that may run at once, those of one stage after another.

        The ranges of images are those of a sample: a scan begins with the lowest hashes, so its records are drawn at
        random. A small table has fewer steps.

        Raises:
            BadExport: what is published is of a later schema version.
        """
        files = self.exporter.files
        before, _ = Publisher(files).latest()
        began_at = files.now()
        sample = readable(islice(self.table.scan(), SAMPLED * self.segments))
        images = sorted(str(record.observation.image) for record in sample)
        segments = min(self.segments, max(len(images), 1))
        bounds = tuple(images[len(images) * number // segments] for number in range(1, segments))
        name = snapshot_name(began_at, self.exporter.new_id())
        vocabulary_version = self.exporter.vocabulary.version
        plan = Plan(name, began_at, before.snapshot if before else "", bounds, vocabulary_version)
        files.write_if(plan_name(name), plan.encode(), None)
        stages = (Stage.SCAN, Stage.IMAGES, Stage.POSTINGS)
        return (*(tuple(plan.steps(stage)) for stage in stages), (Step(name, Stage.PUBLISH),))

    def plan_events(self) -> list[list[dict[str, object]]]:
        """Return the plan as events of a function; for one segment, it is a whole export at once."""
        # The state machine knows no stages, so that they are written here alone (DECISIONS.md, 133).
        if self.segments == 1:
            return [[{}]]
        return [[asdict(step) for step in stage] for stage in self.plan()]

    def run(self, step: Step) -> Exported | None:
        """Do a step, unless it is done, and return what the last one published.

        Raises:
            RetryLater: the export was cleaned up or the program deployed anew since it began, or a step before is not
                done.
            BadSettings: the folder for temporary files is too small.
        """
        if step.stage is Stage.PUBLISH and (published := self._find_published(step.snapshot)):
            return published
        plan = self._load_plan(step.snapshot)
        with work_folder(self.exporter.work) as work:
            if step.stage is Stage.PUBLISH:
                return self._publish(plan, work)
            if self.exporter.files.read(step.report_name) is None:
                report = _Attempt(self, plan, step, work).run()
                # The first report counts: another attempt may be running, and the rows of the two may differ.
                self.exporter.files.write_if(step.report_name, report.encode(), None)
        return None

    def reports(self, plan: Plan, stage: Stage) -> list[Report]:
        """Return the reports of a whole stage.

        Raises:
            RetryLater: a step of it is not done.
        """
        reports = []
        for step in plan.steps(stage):
            data = self.exporter.files.read(step.report_name)
            if data is None:
                raise RetryLater(f"step {step.number} of {stage} of the export {plan.snapshot} is not done")
            reports.append(Report.decode(data, step.report_name))
        return reports

    def _find_published(self, snapshot: str) -> Exported | None:
        """Return the export if it is the published one: then its last step was repeated, for its answer was lost."""
        files = self.exporter.files
        latest, _ = Publisher(files).latest()
        data = files.read(latest.manifest.name) if latest and latest.snapshot == snapshot else None
        if latest is None or data is None:
            return None
        self._finish(snapshot)
        return Exported(Manifest.decode(data, latest.manifest.name), is_published=True)

    def _finish(self, snapshot: str) -> None:
        """Delete what only steps need, and what nobody needs any more."""
        files = self.exporter.files
        # The plan goes last: until then the last step can be repeated.
        files.delete([name for name in files.names(step_folder(snapshot)) if name != plan_name(snapshot)])
        files.delete([plan_name(snapshot)])
        remove_unneeded(files, self.exporter.kept_snapshots)

    def _load_plan(self, snapshot: str) -> Plan:
        name = plan_name(snapshot)
        data = self.exporter.files.read(name)
        if data is None:
            raise RetryLater(f"the export {snapshot} was published or cleaned up; export again")
        plan = Plan.decode(data, name)
        if plan.vocabulary_version != self.exporter.vocabulary.version:
            raise RetryLater(f"the words have changed since the export {snapshot} began; export again")
        return plan

    def _publish(self, plan: Plan, work: Path) -> Exported:
        files = self.exporter.files
        manifest = self._write_manifest(plan, work)
        choose_deltas = deltas_since_scan(files, plan.before, manifest)
        is_published = Publisher(files).publish(manifest, work, choose_deltas)
        self._finish(plan.snapshot)
        return Exported(manifest, is_published)

    def _write_manifest(self, plan: Plan, work: Path) -> Manifest:
        scans = self.reports(plan, Stage.SCAN)
        images = self.reports(plan, Stage.IMAGES)
        parts = _parts(images), _parts(self.reports(plan, Stage.POSTINGS))
        stats, keywords = _added_up(scans), _keyword_rows(scans)
        written = tuple(sum(part.rows for part in files) for files in parts)
        if written != (stats.counts.rows, sum(keywords.values())):
            raise BadExport(f"{plan.snapshot} lost rows between its steps; export again")
        writer, coverage = self.writer(plan.snapshot, work), _coverage_of(images)
        lexicon = tables.Lexicon(list(keywords), self.exporter.vocabulary)
        no_postings = writer.runs("no-postings", tables.POSTINGS_ORDER)
        return writer.manifest(
            stats,
            coverage,
            self.exporter.standard_ids,
            began_at=plan.began_at,
            ended_at=max(report.ended_at for report in scans),
            # Without any rows there is one empty file, as in every snapshot.
            images=parts[0] or writer.write_images((), lexicon, coverage, no_postings),
            postings=parts[1] or writer.write_postings((), lexicon, ()),
        )

    def writer(self, snapshot: str, work: Path, stem: str = "part") -> SnapshotWriter:
        """Return what writes the files of a snapshot."""
        exporter = self.exporter
        return SnapshotWriter(snapshot, exporter.files, exporter.vocabulary, work, exporter.sizes, stem)


class _Attempt:
    """One attempt at a step. Its files have names of their own, since another attempt may be running."""

    def __init__(self, export: SegmentedExport, plan: Plan, step: Step, work: Path) -> None:
        self._export, self._plan, self._step, self._work = export, plan, step, work
        self._files: FileStore = export.exporter.files
        self._id = export.exporter.new_id()
        self._writer = export.writer(plan.snapshot, work, f"part-{step.number:05d}")

    def run(self) -> Report:
        """Write the step's files, and return its report."""
        match self._step.stage:
            case Stage.SCAN:
                return self._scan()
            case Stage.IMAGES:
                return self._write_images()
            case _:
                return self._write_postings()

    def _scan(self) -> Report:
        stats = ExportStats()
        scanned = self._export.table.scan(self._step.number, self._plan.segments)
        runs = self._writer.runs("images-runs", tables.IMAGES_ORDER)
        for table in raw_images(stats, scanned, self._export.exporter.sizes):
            runs.add(table)
        return Report(
            ended_at=self._files.now(),
            sorted_rows=self._divide(runs.merged(), "image", self._plan.bounds),
            counts=stats.counts,
            keywords={keyword_id: stats.postings[number] for keyword_id, number in stats.numbers.items()},
            model_versions=tuple(stats.model_versions),
            taxonomy_versions=tuple(stats.taxonomy_versions),
        )

    def _write_images(self) -> Report:
        number, scans = self._step.number, self._export.reports(self._plan, Stage.SCAN)
        keywords = _keyword_rows(scans)
        lexicon = tables.Lexicon(list(keywords), self._export.exporter.vocabulary)
        ranks = {keyword_id: rank for rank, keyword_id in enumerate(keywords)}
        images = self._writer.runs("images-runs", tables.IMAGES_ORDER)
        for scan in scans:
            # Each scan numbers keywords as it meets them; here all are numbered by their order.
            self._add_run(images, scan, [ranks[keyword_id] for keyword_id in scan.keywords])
        postings, coverage = self._writer.runs("postings-runs", tables.POSTINGS_ORDER), Coverage()
        if number:
            coverage.begin_at(self._plan.bounds[number - 1])
        first_row = sum(scan.rows_for(reader) for scan in scans for reader in range(number))
        return Report(
            ended_at=self._files.now(),
            parts=self._writer.write_images(images.merged(), lexicon, coverage, postings, first_row),
            coverage=coverage.folders,
            sorted_rows=self._divide(postings.merged(), "rank", _keyword_bounds(keywords, self._plan.segments)),
        )

    def _write_postings(self) -> Report:
        keywords = _keyword_rows(self._export.reports(self._plan, Stage.SCAN))
        lexicon = tables.Lexicon(list(keywords), self._export.exporter.vocabulary)
        postings = self._writer.runs("postings-runs", tables.POSTINGS_ORDER)
        for report in self._export.reports(self._plan, Stage.IMAGES):
            self._add_run(postings, report)
        bounds = [0, *_keyword_bounds(keywords, self._plan.segments), len(keywords)]
        begin, end = bounds[self._step.number : self._step.number + 2]
        own = [KeywordRows(keyword_id, rows) for keyword_id, rows in list(keywords.items())[begin:end]]
        parts = self._writer.write_postings(postings.merged(), lexicon, own)
        return Report(ended_at=self._files.now(), parts=parts)

    def _divide(self, merged: Iterable[Any], column: str, bounds: Sequence[Any]) -> dict[int, SortedRows]:
        """Write sorted rows for each step of the next stage."""
        divided = (piece for table in merged for piece in tables.divide_rows(table, column, bounds))
        written = {}
        for reader, pieces in groupby(divided, itemgetter(0)):
            path, name = self._work / f"{reader}.run", self._step.sorted_name(reader, self._id)
            step_rows = self._export.exporter.sizes.merged_rows
            rows = parquet.write_run((batch for _, table in pieces for batch in tables.batches(table, step_rows)), path)
            self._files.write(name, path)
            path.unlink()
            written[reader] = SortedRows(name, rows)
        return written

    def _add_run(self, runs: Runs, report: Report, numbers: Sequence[int] | None = None) -> None:
        """Add the rows that a step left for this one, if any, with keywords renumbered."""
        sorted_rows = report.sorted_rows.get(self._step.number)
        if sorted_rows is None:
            return
        path = self._work / "downloaded.run"
        if not self._files.download(sorted_rows.name, path):
            raise RetryLater(f"{sorted_rows.name} was cleaned up because the export took too long; export again")
        batches = parquet.read_run(path)
        runs.add_run(batches if numbers is None else (tables.renumber(batch, numbers) for batch in batches))
        path.unlink()


def _parts(reports: Iterable[Report]) -> tuple[PartFile, ...]:
    """Return the files that have rows, in order."""
    return tuple(part for report in reports for part in report.parts if part.rows)


def _coverage_of(images: Iterable[Report]) -> Coverage:
    """Return what the steps counted of each folder."""
    coverage = Coverage()
    for report in images:
        for folder in report.coverage:
            coverage.add_folder(folder)
    return coverage


def _keyword_rows(scans: Iterable[Report]) -> dict[str, int]:
    """Return how many postings each keyword has, in the order of the keywords."""
    rows: Counter[str] = Counter()
    for scan in scans:
        rows.update(scan.keywords)
    return dict(sorted(rows.items()))


def _keyword_bounds(keywords: dict[str, int], segments: int) -> list[int]:
    """Return the first keyword, by its position, of each range but the first one; some ranges may be empty."""
    ends = list(accumulate(keywords.values()))
    total = ends[-1] if ends else 0
    return [bisect_left(ends, total * number // segments) for number in range(1, segments)]


def _added_up(scans: Iterable[Report]) -> ExportStats:
    """Return the counts of all segments, with keywords numbered by their order."""
    stats = ExportStats()
    for scan in scans:
        stats.add(scan.counts, scan.model_versions, scan.taxonomy_versions)
        stats.numbers_of(scan.keywords)
    return stats
