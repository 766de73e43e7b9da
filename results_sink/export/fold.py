"""The verb fold: a snapshot and the deltas over it become one new snapshot, without asking the table."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from results_sink.export.delta import only_last, raw_of, there, without
from results_sink.export.parquet import ParquetFile
from results_sink.export.publish import Publisher
from results_sink.export.tables import CHANGE
from results_sink.search.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from results_sink.export.export import Exporter
    from results_sink.export.manifest import FileSum, Latest
    from results_sink.export.publish import Deltas, Exported
    from results_sink.export.rows import ExportStats
    from results_sink.search.snapshot import Copies, Snapshot

LEAST_DELTAS = 20  # chosen by us: fewer cost a search next to nothing
MOST_ROWS = 1_500_000  # changed rows that are folded at once, chosen by us: their names take some 300 MB
LONGEST_S = 160.0  # of folding in one call, chosen by us: the next call comes after three minutes
NEXT_IS_LONGER = 1.3  # chosen by us: by how much a fold may take longer than the one before, as the snapshot grows


@dataclass(frozen=True)
class Folding:
    """Folds deltas into the snapshot of an exporter's place. The exporter's own table is not asked."""

    exporter: Exporter
    copies: Copies
    least_deltas: int = LEAST_DELTAS
    most_rows: int = MOST_ROWS
    clock_s: Callable[[], float] = time.monotonic

    def fold_all(self, left_s: float = LONGEST_S) -> Exported | None:
        """Fold until few deltas are left or another fold might not end in time, and return what the last one wrote.

        While a large backfill runs, deltas come faster than a fold every three minutes takes them: then folds follow
        each other, and the next call goes on (DECISIONS.md, 56).
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
        """Write and publish the new snapshot, or return None where there are too few deltas to be worth it.

        Of more deltas than are folded at once the first are, and the others stay over the new snapshot.
        Where another export or fold is published meanwhile, that one stays, and this one's files are removed later.

        Raises:
            BadExport: what is to be folded is damaged.
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
        """Yield the rows of a snapshot that did not change, then those that did and are there.

        One file is open at a time, however many there are. In memory are the names of the images that changed, each
        with the number of its last row; the rows themselves are sorted on disk by the exporter.
        """
        last_rows: dict[str, int] = {}
        row = 0
        for delta in deltas:
            images = self._opened(delta.sum).columns(["image"])["image"].to_pylist()
            last_rows.update(zip(images, range(row, row + len(images)), strict=True))
            row += len(images)
        for part in snapshot.manifest.images:
            for table in self._opened(snapshot.sum_of(part)).tables():
                yield raw_of(without(table, last_rows), stats)
        row = 0
        for delta in deltas:
            for table in self._opened(delta.sum).tables(CHANGE):
                yield raw_of(there(only_last(table, row, last_rows)), stats)
                row += len(table)

    def _opened(self, file: FileSum) -> ParquetFile:
        return ParquetFile(self.copies.path_of(file))


def _first(deltas: Deltas, most_rows: int) -> Deltas:
    """Return the first deltas of so many rows together, and one at least."""
    ends = list(accumulate(delta.rows for delta in deltas))
    return deltas[: max(bisect_right(ends, most_rows), 1)]


def _left(newest: Latest | None, snapshot: str, folded: Deltas) -> Deltas | None:
    """Return the deltas that stay; None where the snapshot that was folded is no longer what is published."""
    if newest is None or newest.snapshot != snapshot:
        return None
    done = set(folded)
    return tuple(delta for delta in newest.deltas if delta not in done)
