"""The records of an export, decisions included, for restoring them into a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadExport
from pipeline.record_backup import restore_record
from results_sink.export.exported_records import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.records import Record
    from pipeline.unreadable import UnreadableItem
    from results_sink.connect import ExportPlace


@dataclass(frozen=True)
class BackedUpRecords:
    """The records that searches of an export see: those of its snapshot, updated by its deltas."""

    export: ExportPlace

    def scan(self) -> Iterator[Record | UnreadableItem]:
        """Yield every record once. One row group of the snapshot is in memory at a time, and all rows of the deltas.

        Raises:
            BadExport: there is none, it is damaged, or an earlier version, which kept no decisions, wrote it.
        """
        yield from map(self._record, rows_of(self.export))

    def _record(self, row: Mapping[str, Any]) -> Record | UnreadableItem:
        # Restoring a record without people's decisions would undo them (DECISIONS.md, 71).
        if row["backup"] is None:
            raise BadExport(
                f"{self.export.name} was written by an earlier version, which kept no decisions in it; "
                "`catalog-tagger export` writes a new one"
            )
        return restore_record(row)
