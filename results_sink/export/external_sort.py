"""Sorting more rows than memory holds: sorted runs on disk, merged with a bounded part of each in memory."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from results_sink.export import parquet, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from results_sink.export.postings_layout import Sizes
    from results_sink.export.tables import Order


class Runs:
    """Takes rows in any order, and yields them sorted once all have been added."""

    def __init__(self, folder: Path, order: Order, sizes: Sizes) -> None:
        """Keep the runs in a new folder of their own."""
        folder.mkdir()
        self._folder, self._order, self._sizes = folder, order, sizes
        self._waiting: list[Any] = []
        self._paths: list[Path] = []
        self._ends: list[tuple[Any, ...]] = []  # the key of the last row of every batch

    def add(self, table: Any) -> None:
        """Add the rows of one table; when there are enough they become a run."""
        self._waiting.append(table)
        if sum(len(table) for table in self._waiting) >= self._sizes.run_rows:
            self._spill()

    def _spill(self) -> None:
        run = tables.sort_rows(tables.join(self._waiting), self._order)
        self._waiting = []
        self.add_run(tables.batches(run, self._sizes.merged_rows))

    def add_run(self, batches: Iterable[Any]) -> None:
        """Add rows that are sorted already: one or more tables, a part of memory each while the runs are merged."""
        path = self._folder / f"{len(self._paths)}.run"
        parquet.write_run(map(self._mark_end, batches), path)
        self._paths.append(path)

    def _mark_end(self, batch: Any) -> Any:
        self._ends.append(tables.sort_key(batch, self._order, len(batch) - 1))
        return batch

    def merged(self) -> Iterator[Any]:
        """Yield all rows in order, some tens of thousands at a time, and remove the runs.

        Between two consecutive batch ends lies at most one batch of each run. Merging up to every n-th end therefore
        holds at most about n batches, which bounds the memory.
        """
        if sum(len(table) for table in self._waiting):
            self._spill()
        runs = [_Run(path, self._order) for path in self._paths]
        every = max(len(runs), self._sizes.merged_batches)
        for end in (*sorted(self._ends)[every - 1 :: every], None):
            batches = [table for run in runs for table in run.through(end)]
            if batches:
                yield tables.sort_rows(tables.join(batches), self._order)
        for path in self._paths:
            path.unlink()


class _Run:
    """One sorted run, read from its beginning to its end."""

    def __init__(self, path: Path, order: Order) -> None:
        self._order = order
        self._batches = parquet.read_run(path)
        self._pending = next(self._batches, None)

    def through(self, end: tuple[Any, ...] | None) -> Iterator[Any]:
        """Yield the rows up to and with the key ``end``, or all that are left."""
        while self._pending is not None:
            batch, rows = self._pending, len(self._pending)
            if end is not None and tables.sort_key(batch, self._order, rows - 1) > end:
                rows = bisect_right(range(rows), end, key=lambda row: tables.sort_key(batch, self._order, row))
                self._pending = batch.slice(rows)
                yield batch.slice(0, rows)
                return
            self._pending = next(self._batches, None)
            yield batch
