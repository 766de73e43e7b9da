"""The files of one snapshot: images are sorted and written, then their postings."""

from __future__ import annotations

import errno
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadSettings, CallerError
from results_sink.export import tables
from results_sink.export.external_sort import Runs
from results_sink.export.manifest import SNAPSHOTS, KeywordRows, Manifest, PartFile
from results_sink.export.part_writer import Parts, Shape
from results_sink.export.postings_layout import Sizes, divide_keywords, row_group_sizes
from results_sink.export.summary_tables import COVERAGE_SCHEMA, count_coverage, coverage_table, keywords_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pipeline.coverage import Coverage
    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from pipeline.standard_ids import StandardIds
    from results_sink.export.rows import ExportStats


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Give a folder for temporary files below ``parent``, which is removed in the end.

    Raises:
        BadSettings: there is too little space.
        CallerError: it cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(parent).free
    try:
        with tempfile.TemporaryDirectory(prefix="export-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise BadSettings(
                f"there is no space left for the export; {parent} had {free_bytes:,} bytes free"
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise CallerError(f"{error.filename} cannot be written: {error.strerror}") from error
        raise


@dataclass(frozen=True)
class SnapshotWriter:
    """Writes the files of a snapshot of that name, or those of a range of it, whose names begin with ``stem``."""

    name: str
    files: FileStore
    vocabulary: Vocabulary
    work: Path
    sizes: Sizes
    stem: str = "part"

    def runs(self, folder: str, order: tables.Order) -> Runs:
        """Return an empty sorter of rows."""
        return Runs(self.work / folder, order, self.sizes)

    def write_images(
        self, images: Iterable[Any], lexicon: tables.Lexicon, coverage: Coverage, postings: Runs, first_row: int = 0
    ) -> tuple[PartFile, ...]:
        """Write sorted raw images, of which the first is row ``first_row``; count them, and add their postings."""
        parts = self._parts("images", lexicon.images_schema, self.sizes.images_part_rows, repeat(self._group_rows))
        for table in images:
            parts.add(lexicon.images(table))
            count_coverage(coverage, table)
            postings.add(lexicon.raw_postings(table, first_row))
            first_row += len(table)
        return parts.close()

    def write_postings(
        self, postings: Iterable[Any], lexicon: tables.Lexicon, keywords: Sequence[KeywordRows]
    ) -> tuple[PartFile, ...]:
        """Write sorted raw postings, which are those of these keywords in order."""
        sizes = row_group_sizes((keyword.rows for keyword in keywords), self._group_rows)
        parts = self._parts("postings", lexicon.postings_schema, self.sizes.postings_part_rows, sizes)
        for table in postings:
            parts.add(lexicon.postings(table))
        files = parts.close()
        inside = divide_keywords(keywords, [file.rows for file in files])
        return tuple(replace(file, keywords=part_keywords) for file, part_keywords in zip(files, inside, strict=True))

    def manifest(  # noqa: PLR0913 - what is known when all else is written
        self,
        stats: ExportStats,
        coverage: Coverage,
        standard_ids: StandardIds,
        *,
        began_at: datetime,
        ended_at: datetime,
        images: tuple[PartFile, ...],
        postings: tuple[PartFile, ...],
    ) -> Manifest:
        """Write what is small, and return the manifest."""
        languages = self.vocabulary.languages
        keywords = keywords_table(stats.numbers, self.vocabulary, standard_ids)
        return Manifest(
            snapshot=self.name,
            scan_began_at=began_at,
            scan_ended_at=ended_at,
            counts=stats.counts,
            model_versions=tuple(sorted(stats.model_versions)),
            taxonomy_versions=tuple(sorted(stats.taxonomy_versions)),
            vocabulary_version=self.vocabulary.version,
            images_columns=tables.column_types(tables.images_schema(languages)),
            postings_columns=tables.column_types(tables.postings_schema(languages)),
            images=images,
            postings=postings,
            coverage_columns=tables.column_types(COVERAGE_SCHEMA),
            coverage=self._write_table("coverage", coverage_table(coverage)),
            keywords_columns=tables.column_types(keywords.schema),
            keywords=self._write_table("keywords", keywords),
        )

    @property
    def _group_rows(self) -> int:
        return self.sizes.row_group_rows

    def _write_table(self, folder: str, table: Any) -> tuple[PartFile, ...]:
        """Write a table that fits into memory as one file with one row group."""
        rows = max(1, len(table))
        parts = self._parts(folder, table.schema, rows, repeat(rows))
        parts.add(table)
        return parts.close()

    def _parts(self, folder: str, schema: Any, part_rows: int, sizes: Iterator[int]) -> Parts:
        def deliver(part: str, path: Path) -> str:
            return self.files.write(f"{SNAPSHOTS}{self.name}/{part}", path)

        return Parts(self.work, Shape(folder, schema, part_rows, self.stem), sizes, deliver)
