"""What `catalog-tagger tag -o` writes: a CSV, JSON lines, a Parquet file, or an export."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from infra.tag import CSV, JSON_LINES, PARQUET, Results, Tagging
from pipeline.clock import utc_now
from pipeline.folder import FolderFiles
from pipeline.images import ImageRef, LocalImage, is_unicode
from pipeline.product_pattern import ProductPattern
from pipeline.records import Observation, Record
from pipeline.run_id import new_run_id
from pipeline.settings import home
from pipeline.standard_ids import OWN_NAME, StandardIds
from pipeline.terminal import printable
from pipeline.whole_file import written_whole
from results_sink.export.export import Exporter
from results_sink.export.single_file import write_images
from tagging_lambda.file_documents import CSV_COLUMNS, file_record, file_row
from tagging_lambda.tag_files import RejectedFile, TaggedFile

_SHOP = ImageRef("local", "-")  # a bucket for keys from which a product is read


@dataclass(frozen=True)
class FileRecords:
    """The records of files, each with its product, as a table would hold them.

    Attributes:
        results: what became of the files.
        roots: what the caller named: a product is read from the path below it.
        products: how a product is read.
        versions: of the model, and of the taxonomy with the heads.
        run_id: of this run.
    """

    results: Results
    roots: Sequence[Path]
    products: ProductPattern
    versions: tuple[str, str]
    run_id: str

    def scan(self) -> Iterator[Record]:
        """Yield the records as the files are read."""
        for result in self.results:
            yield file_record(result, self._observation(result.path))

    def _observation(self, path: Path) -> Observation:
        model_version, taxonomy_version = self.versions
        return Observation(
            image=LocalImage.of(path),
            product=self.products.product_of(ImageRef(_SHOP.bucket, self._key(path))),
            run_id=self.run_id,
            observed_at=utc_now(),
            etag=None,
            object_time=datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None,
            model_version=model_version,
            taxonomy_version=taxonomy_version,
        )

    def _key(self, path: Path) -> str:
        """Return the path below the folder that the caller named, or the bare name of a file that they named."""
        root = next((root for root in self.roots if root in path.parents), path.parent)
        return path.relative_to(root).as_posix()


def write_output(output: Path, results: Results, tagging: Tagging) -> None:
    """Write the results as the name of the output says; a reader sees the whole of it or what was there before."""
    vocabulary = tagging.tagger.vocabulary
    if output.suffix not in {CSV, JSON_LINES, PARQUET}:
        output.mkdir(exist_ok=True)
        Exporter(
            _records(_nameable(results), tagging),
            FolderFiles(output),
            vocabulary,
            lambda: uuid4().hex[:8],
            standard_ids=StandardIds.load(home() / OWN_NAME),
        ).export()
        return
    with written_whole(output) as path:
        if output.suffix == PARQUET:
            write_images(_records(_nameable(results), tagging).scan(), path, vocabulary)
        elif output.suffix == CSV:
            _write_csv(path, map(tagging.document, results))
        else:
            with path.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(document)}\n" for document in map(tagging.document, results))


def _records(results: Results, tagging: Tagging) -> FileRecords:
    versions = tagging.tagger.classifier.card.version, tagging.tagger.mapper.version
    return FileRecords(results, tagging.roots, tagging.products, versions, new_run_id(utc_now()))


def _write_csv(path: Path, documents: Iterable[dict[str, Any]]) -> None:
    # surrogateescape writes the very bytes of a file name that is not UTF-8.
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(file_row, documents))


def _nameable(results: Results) -> Iterator[TaggedFile | RejectedFile]:
    """Yield the results whose names an export can hold, and name the others on the terminal."""
    for result in results:
        if is_unicode(str(result.path)):
            yield result
        else:
            click.echo(f"left out: {printable(str(result.path))}, whose name is not UTF-8; rename it", err=True)
