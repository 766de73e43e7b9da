"""Finds damage: compares every file that a reader of an export would read with the file that lists it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import BadExport
from pipeline.exported import ExportDamage
from results_sink.export.manifest import DELTAS, LATEST_NAME, SNAPSHOTS, FileSum, Latest, Manifest
from results_sink.search.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.ports import StoredFile
    from results_sink.connect import ExportPlace


@dataclass(frozen=True)
class ExportVerifier:
    """Compares the files of an export with their checksums, never through this machine's copies (DECISIONS.md, 55).

    A file whose size and version (S3: the ETag) in the store are those with which it was written is not read. If the
    version differs, as in a copied bucket, or with ``is_deep``, its bytes are compared.
    """

    export: ExportPlace
    is_deep: bool = False

    def damages(self) -> Iterator[ExportDamage]:
        """Yield what is wrong; nothing if nothing was ever exported."""
        files = self.export.files
        stored = {file.name: file for file in files.listing(SNAPSHOTS)}
        data = files.read(LATEST_NAME)
        if data is None:
            if stored:
                yield ExportDamage(LATEST_NAME, "is missing, though an export was published")
            return
        try:
            latest = Latest.decode(data, LATEST_NAME)
        except BadExport as error:
            yield ExportDamage(LATEST_NAME, str(error))
            return
        stored |= {file.name: file for file in files.listing(DELTAS)} if latest.deltas else {}
        for delta in latest.deltas:
            yield from self._file_damages(delta.sum, stored)
        yield from self._snapshot_damages(latest, stored)

    def _snapshot_damages(self, latest: Latest, stored: Mapping[str, StoredFile]) -> Iterator[ExportDamage]:
        damages = list(self._file_damages(latest.manifest, stored))
        yield from damages
        data = self.export.files.read(latest.manifest.name)
        if damages or data is None:
            return
        try:
            manifest = Manifest.decode(data, latest.manifest.name)
        except BadExport as error:
            yield ExportDamage(latest.manifest.name, str(error))
            return
        snapshot = Snapshot(manifest, self.export.copies)
        unsearched = {part.name for part in (*manifest.coverage, *manifest.keywords)}
        for part in manifest.files:
            damages += self._file_damages(snapshot.sum_of(part), stored, stops_search=part.name not in unsearched)
        yield from damages
        yield from _wrong_counts(manifest, latest.manifest.name)
        if self.is_deep and not damages:
            yield from _wrong_postings(snapshot, latest.manifest.name)

    def _file_damages(
        self, wanted: FileSum, stored: Mapping[str, StoredFile], *, stops_search: bool = True
    ) -> Iterator[ExportDamage]:
        file = stored.get(wanted.name)
        if file is None:
            yield ExportDamage(wanted.name, "is missing", stops_search)
        elif file.bytes != wanted.bytes:
            problem = f"has {file.bytes:,} bytes instead of {wanted.bytes:,}"
            yield ExportDamage(wanted.name, problem, stops_search)
        elif self.is_deep or file.version != wanted.version:
            data = self.export.files.read(wanted.name)
            if data is None or hashlib.sha256(data).hexdigest() != wanted.sha256:
                yield ExportDamage(wanted.name, "is damaged: its SHA-256 differs", stops_search)


def _wrong_counts(manifest: Manifest, name: str) -> Iterator[ExportDamage]:
    """Yield contradictions within the manifest: rows that were lost or doubled when the snapshot was written."""
    rows = sum(part.rows for part in manifest.images)
    if rows != manifest.counts.rows:
        yield ExportDamage(name, f"lists {rows:,} rows of images/, but {manifest.counts.rows:,} were counted")
    for part in manifest.postings:
        keyword_rows = sum(keyword.rows for keyword in part.keywords)
        if part.rows != keyword_rows:
            yield ExportDamage(name, f"lists {part.rows:,} rows in {part.name}, but {keyword_rows:,} were counted")


def _wrong_postings(snapshot: Snapshot, name: str) -> Iterator[ExportDamage]:
    """Yield damage if postings/ are not the keywords of images/: both sides give the same 64-bit sum in any order."""
    ids = sorted({keyword.keyword_id for part in snapshot.manifest.postings for keyword in part.keywords})
    in_images = first_row = in_postings = 0
    for part in snapshot.manifest.images:
        for tags in snapshot.open(part).image_tags(ids, first_row):
            in_images += _sum_of(*tags)
        first_row += part.rows
    for part in snapshot.manifest.postings:
        for tags in snapshot.open(part).posting_tags(ids):
            in_postings += _sum_of(*tags)
    if in_images % 2**64 != in_postings % 2**64:
        yield ExportDamage(name, "lists postings/ that are not the keywords of images/")


def _sum_of(rows: NDArray[np.int64], keywords: NDArray[np.int32], scores: NDArray[np.float64]) -> int:
    """Return the sum of a hash of each row, keyword and score. Odd factors and shifts spread every bit."""
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) + keywords.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x165667B19E3779F9) ^ scores.view(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return int(np.sum(mixed ^ (mixed >> np.uint64(32)), dtype=np.uint64))
