"""The images of an export as records: for other formats, checks and reports, and for restoring them into a table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import BadExport
from pipeline.facts import PhotoFacts
from pipeline.images import exported_image
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import FIELDS, Listing
from pipeline.record_backup import restore_record
from pipeline.records import Observation, Record, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.vectors import FeatureVector
from results_sink.export.delta import PUT
from results_sink.export.parquet import ParquetFile
from results_sink.export.tables import CHANGE, RECORD_COLUMNS
from results_sink.search.snapshot import Snapshot, open_snapshot, read_latest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.unreadable import UnreadableItem
    from results_sink.connect import ExportPlace
    from results_sink.export.manifest import Latest

    _Row = dict[str, Any]


@dataclass(frozen=True)
class ExportedRecords:
    """The records of an export with its deltas, without class scores and people's decisions."""

    export: ExportPlace

    def scan(self) -> Iterator[TaggedImage | RejectedImage]:
        """Yield the record of each image. One row group of the snapshot is in memory, and all rows of the deltas.

        Raises:
            NoExport: nothing was ever exported there.
            BadExport: it is damaged.
        """
        yield from map(record_of, ExportedRows.open(self.export).below())


@dataclass(frozen=True)
class BackedUpRecords:
    """The records that searches of an export see: those of its snapshot, updated by its deltas."""

    export: ExportPlace

    def scan(self) -> Iterator[Record | UnreadableItem]:
        """Yield every record once. One row group of the snapshot is in memory at a time, and all rows of the deltas.

        Raises:
            BadExport: there is none, it is damaged, or an earlier version, which kept no decisions, wrote it.
        """
        yield from map(self._record, ExportedRows.open(self.export).below())

    def _record(self, row: Mapping[str, Any]) -> Record | UnreadableItem:
        # Restoring a record without people's decisions would undo them (DECISIONS.md, 71).
        if row["backup"] is None:
            raise BadExport(
                f"{self.export.name} was written by an earlier version, which kept no decisions in it; "
                "`catalog-tagger export` writes a new one"
            )
        return restore_record(row)


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """The rows of images that searches of an export see: those of its snapshot, updated by its deltas."""

    export: ExportPlace
    latest: Latest
    snapshot: Snapshot

    @classmethod
    def open(cls, export: ExportPlace) -> Self:
        """Return the rows of the export as it is now.

        Raises:
            NoExport: nothing was ever exported there.
            BadExport: it is damaged.
        """
        latest = read_latest(export.files, export.name)
        return cls(export, latest, open_snapshot(latest, export.files, export.copies, export.name))

    def below(self, begin: str = "", columns: Sequence[str] = RECORD_COLUMNS) -> Iterator[_Row]:
        """Yield these columns of the images whose names begin so, ordered by UTF-8 name.

        One row group of the snapshot is in memory at a time, and all rows of the deltas.

        Raises:
            BadExport: a file is missing or damaged.
        """
        changed: dict[str, _Row] = {}
        for delta in self.latest.deltas:
            rows = ParquetFile(self.export.copies.path_of(delta.sum)).rows((CHANGE, *columns))
            changed.update((row["image"], row) for row in rows if row["image"].startswith(begin))
        unchanged = (row for row in self._of_snapshot(begin, columns) if row["image"] not in changed)
        present = (row for row in changed.values() if row[CHANGE] == PUT)
        # An image comes more than once only if the export is wrong, which an audit has to see.
        yield from merge(unchanged, sorted(present, key=_utf8), key=_utf8)

    def _of_snapshot(self, begin: str, columns: Sequence[str]) -> Iterator[_Row]:
        """Yield the snapshot's rows whose names begin so; files before and after them stay closed."""
        parts = [part for part in self.snapshot.manifest.images if part.rows]
        first = bisect_right(parts, begin, key=lambda part: self.snapshot.open(part).first_image) if begin else 0
        for part in parts[max(first - 1, 0) :]:
            for row in self.snapshot.open(part).rows(columns, begin):
                if row["image"].startswith(begin):
                    yield row
                elif row["image"] > begin:
                    return


def _utf8(row: _Row) -> bytes:
    return str(row["image"]).encode()


def record_of(row: _Row) -> TaggedImage | RejectedImage:
    """Return the record that a row of ``images/`` was made from."""
    observation = Observation(
        image=exported_image(row["image"]),
        **{name: row[name] for name in ("product", "run_id", "observed_at", "etag", "object_time")},
        **{name: row[name] for name in ("model_version", "taxonomy_version")},
        listing=Listing(**{name: row[name] or "" for name in FIELDS}),
    )
    if row["status"] == "rejected":
        return RejectedImage(observation, RejectReason(row["reason"]), row["detail"], revision=row["revision"])
    return TaggedImage(
        observation=observation,
        keywords=tuple(KeywordTag(t["keyword_id"], t["score"], Source(t["source"])) for t in row["keywords"]),
        class_scores=(),
        width_pixels=row["width_pixels"],
        height_pixels=row["height_pixels"],
        low_information=row["low_information"],
        revision=row["revision"],
        # An export does not hold the scale: only the directions of vectors are ever compared.
        vector=FeatureVector(row["vector_space"], row["vector"], 1.0) if row["vector"] else None,
        facts=PhotoFacts.unpack(row["facts"]) if row["facts"] else None,
    )
