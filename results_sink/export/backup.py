"""The records of an export, decisions included, for whoever brings them back into a table."""

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
    """The records that searches of an export see: those of its snapshot, under its deltas."""

    place: ExportPlace

    def scan(self) -> Iterator[Record | UnreadableItem]:
        """Yield every record once. Of the snapshot a row group is in memory at a time, of the deltas all rows.

        Raises:
            BadExport: there is none, it is damaged, or an earlier version wrote it, which kept no decisions.
        """
        yield from map(self._record, rows_of(self.place))

    def _record(self, row: Mapping[str, Any]) -> Record | UnreadableItem:
        # A record without people's decisions would undo them, so nothing comes back of it (DECISIONS.md, 71).
        if row["backup"] is None:
            raise BadExport(
                f"{self.place.name} was written by an earlier version, which kept no decisions in it; "
                "`catalog-tagger export` writes a new one"
            )
        return restore_record(row)
