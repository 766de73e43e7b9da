"""The verb fold: a snapshot and its deltas become one new snapshot, without reading the table."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from results_sink.export.delta import exclude_images, only_last, raw_of, visible_rows
from results_sink.export.parquet import ParquetFile
from results_sink.export.publish import Deltas, Exported, Publisher
from results_sink.export.tables import CHANGE, RECORD_COLUMNS
from results_sink.search.snapshot import Copies, Snapshot, open_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from results_sink.export.export import Exporter
    from results_sink.export.manifest import FileSum, Latest
    from results_sink.export.rows import ExportStats

LEAST_DELTAS = 20  # chosen by us: fewer cost a search next to nothing
MOST_ROWS = 1_500_000  # changed rows in one fold, chosen by us: their names take some 300 MB
LONGEST_S = 160.0  # for folding in one call, chosen by us: the next call comes after three minutes
NEXT_IS_LONGER = 1.3  # chosen by us: as the snapshot grows, a fold may take this much longer than the one before


@dataclass(frozen=True)
class Folding:
    """Folds deltas into the snapshot of an exporter's file store, without reading the exporter's table."""

    exporter: Exporter
    copies: Copies
    least_deltas: int = LEAST_DELTAS
    most_rows: int = MOST_ROWS
    clock_s: Callable[[], float] = time.monotonic

    def fold_all(self, left_s: float = LONGEST_S) -> Exported | None:
        """Fold until few deltas are left or another fold might not end in time, and return what the last one wrote.

        During a large backfill, deltas arrive faster than one fold every three minutes can absorb: then folds follow
        each other, and the next call continues (DECISIONS.md, 56).
        """
        ends_at_s = self.clock_s() + min(left_s, LONGEST_S)
        folded = None
        while True:
            began_at_s = self.clock_s()
            newest = self.fold()
            folded = newest or folded
            now_s = self.clock_s()
            if newest is None or not newest.is_published or now_s + (now_s - began_at_s) * NEXT_IS_LONGER > ends_at_s:
                return folded

    def fold(self) -> Exported | None:
        """Write and publish the new snapshot, or return None if there are too few deltas to be worth it.

        If there are more deltas than one fold takes, the first are folded and the others remain deltas of the new one.
        If another export or fold is published meanwhile, that one stays, and this one's files are removed later.

        Raises:
            BadExport: the snapshot or a delta is damaged.
        """
        files = self.exporter.files
        latest, _ = Publisher(files).latest()
        if latest is None or len(latest.deltas) < max(self.least_deltas, 1):
            return None
        snapshot = open_snapshot(latest, files, self.copies, "the export")
        chosen = _first(latest.deltas, self.most_rows)
        folding = replace(
            self.exporter,
            rows=lambda stats: self._merged_rows(snapshot, chosen, stats),
            choose_deltas=lambda newest: _left(newest, latest.snapshot, chosen),
            scan_began_at=snapshot.manifest.scan_began_at,
        )
        return folding.export()

    def _merged_rows(self, snapshot: Snapshot, deltas: Deltas, stats: ExportStats) -> Iterator[Any]:
        """Yield the unchanged rows of a snapshot, then the changed ones without gone images.

        Only one file is open at a time. Memory holds the names of the changed images, each with the number of its last
        row; the exporter sorts the rows themselves on disk.
        """
        last_rows: dict[str, int] = {}
        row = 0
        for delta in deltas:
            images = self._opened(delta.sum).columns(["image"])["image"].to_pylist()
            last_rows.update(zip(images, range(row, row + len(images)), strict=True))
            row += len(images)
        for part in snapshot.manifest.images:
            for table in self._opened(snapshot.sum_of(part)).row_groups():
                yield raw_of(exclude_images(table, last_rows), stats)
        row = 0
        for delta in deltas:
            for table in self._opened(delta.sum).row_groups((CHANGE, *RECORD_COLUMNS)):
                yield raw_of(visible_rows(only_last(table, row, last_rows)), stats)
                row += len(table)

    def _opened(self, file: FileSum) -> ParquetFile:
        return ParquetFile(self.copies.path_of(file))


def _first(deltas: Deltas, most_rows: int) -> Deltas:
    """Return the first deltas that have at most so many rows together, but at least one."""
    ends = list(accumulate(delta.rows for delta in deltas))
    return deltas[: max(bisect_right(ends, most_rows), 1)]


def _left(newest: Latest | None, snapshot: str, folded: Deltas) -> Deltas | None:
    """Return the deltas that remain; None if the folded snapshot is no longer the published one."""
    if newest is None or newest.snapshot != snapshot:
        return None
    done = set(folded)
    return tuple(delta for delta in newest.deltas if delta not in done)
