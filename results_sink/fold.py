"""The verb fold: a snapshot and the deltas over it become one new snapshot, without asking the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from results_sink.delta import CHANGE, last_of_each, raw_of, there, without
from results_sink.manifest import folded_name
from results_sink.parquet import ParquetFile
from results_sink.publish import Publisher
from results_sink.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results_sink.export import Exporter
    from results_sink.manifest import Latest
    from results_sink.publish import Exported, Kept
    from results_sink.rows import Census
    from results_sink.snapshot import Copies

SLICE_ROWS = 4_096  # changed rows that are added at once, chosen by us
LEAST_DELTAS = 20  # chosen by us: fewer cost a search next to nothing


@dataclass(frozen=True)
class Folding:
    """Folds deltas into the snapshot of an exporter's place. The exporter's own table is not asked."""

    exporter: Exporter
    copies: Copies
    least_deltas: int = LEAST_DELTAS

    def fold(self) -> Exported | None:
        """Write and publish the new snapshot, or return None where there are too few deltas to be worth it.

        Where another export or fold is published meanwhile, that one stays, and this one's files are removed later.

        Raises:
            BadExport: what is to be folded is damaged.
        """
        files = self.exporter.files
        latest, _ = Publisher(files).latest()
        if latest is None or len(latest.deltas) < max(self.least_deltas, 1):
            return None
        snapshot = open_snapshot(latest, files, self.copies, "the export")
        parts = [snapshot.open(part) for part in snapshot.manifest.images]
        deltas = [ParquetFile(self.copies.path_of(delta.sum)) for delta in latest.deltas]
        folding = replace(
            self.exporter,
            rows=lambda census: _laid(parts, deltas, census),
            name=lambda _, short_id: folded_name(latest.snapshot, short_id),
            kept_deltas=lambda now: _left(now, latest),
            scan_began_at=snapshot.manifest.scan_began_at,
        )
        return folding.export()


def _left(now: Latest | None, folded: Latest) -> Kept | None:
    """Return the deltas that came since; None where what was folded is no longer what is published."""
    if now is None or now.snapshot != folded.snapshot:
        return None
    done = set(folded.deltas)
    return tuple(delta for delta in now.deltas if delta not in done)


def _laid(parts: Sequence[ParquetFile], deltas: Sequence[ParquetFile], census: Census) -> Iterator[Any]:
    """Yield the rows of a snapshot that did not change, then those that did and are there."""
    changed = last_of_each(table for delta in deltas for table in delta.tables(CHANGE))
    for part in parts:
        for table in part.tables():
            yield raw_of(without(table, changed), census)
    put = there(changed)
    for first in range(0, len(put), SLICE_ROWS):
        yield raw_of(put.slice(first, SLICE_ROWS), census)
