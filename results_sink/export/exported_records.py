"""The images of an export as records: for other formats, checks and reports, and for restoring them into a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadExport, RejectReason
from pipeline.facts import PhotoFacts
from pipeline.images import exported_image
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import FIELDS, Listing
from pipeline.record_backup import restore_record
from pipeline.records import Observation, Record, RejectedImage, TaggedImage
from pipeline.vectors import FeatureVector
from results_sink.export.delta import PUT
from results_sink.export.parquet import ParquetFile
from results_sink.export.tables import CHANGE, RECORD_COLUMNS
from results_sink.search.snapshot import open_snapshot, read_latest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.unreadable import UnreadableItem
    from results_sink.connect import ExportPlace


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
        yield from map(record_of, rows_of(self.export))


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


def rows_of(export: ExportPlace) -> Iterator[dict[str, Any]]:
    """Yield the row of each image that searches of an export see: those of its snapshot, updated by its deltas.

    One row group of the snapshot is in memory at a time, and all rows of the deltas.

    Raises:
        NoExport: nothing was ever exported there.
        BadExport: it is damaged.
    """
    latest = read_latest(export.files, export.name)
    snapshot = open_snapshot(latest, export.files, export.copies, export.name)
    columns = (CHANGE, *RECORD_COLUMNS)
    changed: dict[str, dict[str, Any]] = {}
    for delta in latest.deltas:
        changed.update((row["image"], row) for row in ParquetFile(export.copies.path_of(delta.sum)).rows(columns))
    for part in snapshot.manifest.images:
        yield from (row for row in snapshot.open(part).rows() if row["image"] not in changed)
    yield from (row for row in changed.values() if row[CHANGE] == PUT)


def record_of(row: dict[str, Any]) -> TaggedImage | RejectedImage:
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
