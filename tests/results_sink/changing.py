"""A table that tells its changes, as DynamoDB's stream does, and what follows them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from pipeline.clock import utc_now
from pipeline.memory.files import MemoryFiles
from pipeline.memory.table import MemoryTable
from pipeline.stream import Change
from results_sink.export.changes import Recorder
from results_sink.export.export import Exporter
from results_sink.export.fold import Folding
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import Downloaded
from tests.results_sink.small_shop import NOW, keep_time, reviewed_ids, small_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pipeline.ports import FileStore
    from pipeline.records import Record
    from pipeline.unreadable import UnreadableItem
    from results_sink.export.manifest import DeltaFile, Manifest
    from results_sink.search.search import Searcher


@dataclass
class Shop:
    """A table and the export that follows it: a second passes with each thing that is done."""

    work: Path
    files: FileStore = field(default_factory=MemoryFiles)
    table: MemoryTable = field(default_factory=MemoryTable)
    stream: deque[Change] = field(default_factory=deque)
    now: datetime = NOW
    _ids: count[int] = field(default_factory=count)
    _sequence: count[int] = field(default_factory=lambda: count(100))

    def __post_init__(self) -> None:
        """Let the files be stamped by the shop's time, unless another shop's stamps them."""
        if getattr(self.files, "clock", None) is utc_now:
            self.files = keep_time(self.files, self.tick)

    def tick(self) -> datetime:
        """Let a second pass and return the time."""
        self.now += timedelta(seconds=1)
        return self.now

    def put(self, *records: Record) -> None:
        """Write the records, and tell of it."""
        for record in records:
            before = self.table.records.get(record.observation.image)
            written = replace(record, revision=before.revision + 1 if before else 1)
            self.table.records[record.observation.image] = written
            self.stream.append(Change(str(next(self._sequence)), self.tick(), written))

    def remove(self, record: Record) -> None:
        """Take the item away, as its time being over does, and tell of it."""
        was = self.table.records.pop(record.observation.image)
        self.stream.append(Change(str(next(self._sequence)), self.tick(), was, removed=True))

    def new_id(self) -> str:
        """Return an id that was not there before."""
        return f"id{next(self._ids)}"

    @property
    def recorder(self) -> Recorder:
        """What makes deltas of changes."""
        return Recorder(self.files, small_vocabulary(), self.new_id)

    def record(self, most: int = 1000) -> DeltaFile | None:
        """Make a delta of the next changes."""
        batch = [self.stream.popleft() for _ in range(min(most, len(self.stream)))]
        return self.recorder.record(batch)

    def change(self, *records: Record) -> DeltaFile | None:
        """Put these records, and make a delta of all changes."""
        self.put(*records)
        return self.record()

    def after_scan(self, happen: Callable[[], object]) -> None:
        """Let this happen when the next scan of the table has read everything, and so sees nothing of it."""
        scan = self.table.scan

        def scan_and_let_it_happen() -> Iterator[Record | UnreadableItem]:
            self.table.scan = scan
            yield from list(scan())
            happen()

        self.table.scan = scan_and_let_it_happen

    def exporter(self, **parts: object) -> Exporter:
        """Return what exports the table."""
        given = {"table": self.table, "files": self.files, "work": self.work, "standard_ids": reviewed_ids()}
        return Exporter(vocabulary=small_vocabulary(), new_id=self.new_id, **(given | parts))

    def export(self, **parts: object) -> Manifest:
        """Export the table."""
        return self.exporter(**parts).export().manifest

    def folding(self, **parts: object) -> Folding:
        """Return what folds deltas, however few."""
        copies = Downloaded(self.files, "the export", self.work / "fold-copies")
        return Folding(self.exporter(), copies, **({"least_deltas": 1} | parts))

    def fold(self, **parts: object) -> Manifest | None:
        """Fold the deltas."""
        folded = self.folding(**parts).fold()
        return folded.manifest if folded else None

    def newest(self) -> ExportReader:
        """Return a reader that has read nothing yet, and looks each time."""
        seconds = count(0, 100)
        copies = Downloaded(self.files, "the export", self.work / "copies")
        return ExportReader(self.files, copies, "the export", small_vocabulary(), lambda: float(next(seconds)))

    def searcher(self) -> Searcher:
        """Return what a reader who begins now answers from."""
        return self.newest().searcher()

    def found(self, query: str) -> list[tuple[str, float]]:
        """Return the images that such a reader finds."""
        return [(each.image, each.score) for each in self.searcher().search(query, limit=1000).results]
