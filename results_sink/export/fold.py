"""The verb fold: a snapshot and the deltas over it become one new snapshot, without asking the table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from results_sink.export.delta import last_of_each, raw_of, there, without
from results_sink.export.parquet import ParquetFile
from results_sink.export.publish import Publisher
from results_sink.export.tables import CHANGE
from results_sink.search.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results_sink.export.export import Exporter
    from results_sink.export.manifest import FileSum, Latest
    from results_sink.export.publish import Deltas, Exported
    from results_sink.export.rows import ExportStats
    from results_sink.search.snapshot import Copies, Snapshot

SLICE_ROWS = 4_096  # changed rows that are added at once, chosen by us
LEAST_DELTAS = 20  # chosen by us: fewer cost a search next to nothing
MOST_ROWS = 300_000  # changed rows that are in memory and folded at once, chosen by us: 375 MB at five keywords each


@dataclass(frozen=True)
class Folding:
    """Folds deltas into the snapshot of an exporter's place. The exporter's own table is not asked."""

    exporter: Exporter
    copies: Copies
    least_deltas: int = LEAST_DELTAS
    most_rows: int = MOST_ROWS

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
            rows=lambda census: self._laid(snapshot, chosen, census),
            choose_deltas=lambda newest: _left(newest, latest.snapshot, chosen),
            scan_began_at=snapshot.manifest.scan_began_at,
        )
        return folding.export()

    def _laid(self, snapshot: Snapshot, deltas: Deltas, census: ExportStats) -> Iterator[Any]:
        """Yield the rows of a snapshot that did not change, then those that did and are there.

        One file is open at a time, however many there are.
        """
        changed = last_of_each(table for delta in deltas for table in self._opened(delta.sum).tables(CHANGE))
        for part in snapshot.manifest.images:
            for table in self._opened(snapshot.sum_of(part)).tables():
                yield raw_of(without(table, changed), census)
        put = there(changed)
        for first in range(0, len(put), SLICE_ROWS):
            yield raw_of(put.slice(first, SLICE_ROWS), census)

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
