"""Photos with what is known of them, for commands that take a folder, a prefix of a bucket or a manifest alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from catalog_loader.manifest import Manifest
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import table_of_stack
from pipeline.aws.s3 import S3Images
from pipeline.batches import batched
from pipeline.errors import CallerError, ImageRejected
from pipeline.facts import PhotoFacts
from pipeline.images import FILE_SCHEME, MAX_IMAGE_BYTES, SCHEME, BucketPrefix, FetchedImage, ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.ports import ImageStore, RecordTable
from pipeline.records import Decision, GoneImage, Record, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.stack import find_stack
from pipeline.unreadable import UnreadableItem
from pipeline.vectors import FeatureVector
from results_sink.connect import export_place
from results_sink.export.exported_records import ExportedRecords
from results_sink.export.manifest import LATEST_NAME
from tagging_lambda.tag_files import RejectedFile, TaggedFile, bytes_of, photos_in

_BATCH = 100  # the most records that one call reads


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A photo by its name, with what one pass over it yielded; ``refused`` says why there is nothing."""

    name: str
    keywords: tuple[KeywordTag, ...] = ()
    facts: PhotoFacts | None = None
    vector: FeatureVector | None = None
    refused: str | None = None
    decisions: tuple[Decision, ...] = ()


def known_photos(place: str, vocabulary: Vocabulary) -> Iterator[KnownPhoto]:
    """Yield the photos of a folder, of an export in a folder, of ``s3://bucket/prefix``, or of a manifest (CSV).

    A folder's photos are read and classified here, once; the others' records are read, and no photo.

    Raises:
        CallerError: the place is none of the three.
        NoStack: the place is in S3, and nothing is deployed.
    """
    path = Path(place)
    if place.startswith(SCHEME):
        return _in_bucket(BucketPrefix.parse(place), _table())
    if is_export(path):
        return photos_of(records_of_export(place))
    if path.is_dir():
        return _in_folder(path, vocabulary)
    if path.is_file():
        return _in_manifest(path, _table())
    raise CallerError(f"{place} is no folder and no manifest; write a folder, a CSV file or s3://bucket/prefix")


def records_of_export(name: str | None) -> Iterator[Record]:
    """Yield the record of each image of an export in a folder or ``s3://bucket/prefix``, or of the stack's own.

    Raises:
        NoExport: there is none.
    """
    return ExportedRecords(export_place(name, os.environ)).scan()


def photos_of(records: Iterable[Record]) -> Iterator[KnownPhoto]:
    """Yield what records know of their photos."""
    return (_known_record(record.observation.image, record) for record in records)


def is_export(folder: Path) -> bool:
    """Return whether the folder holds an export, and not photos."""
    return (folder / LATEST_NAME).is_file()


def known_photo_of(path: Path, vocabulary: Vocabulary) -> KnownPhoto:
    """Return one file with what is known of it."""
    [file] = photos_in([path], vocabulary, workers=1)
    return _known_file(file, file.path.name)


def photo_bytes(place: str) -> Callable[[str], bytes]:
    """Return what reads a photo of the place by the name that ``known_photos`` gives it.

    The function raises:
        ImageRejected: the photo is no longer there, or not ours to read.
    """
    path = Path(place)
    if not place.startswith(SCHEME) and path.is_dir() and not is_export(path):
        return lambda name: bytes_of(path / name)
    return named_bytes


def named_bytes(name: str) -> bytes:
    """Return a photo by the name that an export or a record gives it: in a bucket, or in a file of this machine."""
    if name.startswith(FILE_SCHEME):
        return bytes_of(Path(name.removeprefix(FILE_SCHEME)))
    fetched = _images().fetch(ImageRef.parse(name), None, MAX_IMAGE_BYTES)
    if not isinstance(fetched, FetchedImage):
        raise ImageRejected(RejectReason.MISSING, f"{name} is no longer there")
    return fetched.data


@lru_cache(maxsize=1)
def _images() -> ImageStore:
    return S3Images(client("s3", find_stack().endpoint_url))


def _table() -> RecordTable:
    return table_of_stack()


def _in_folder(folder: Path, vocabulary: Vocabulary) -> Iterator[KnownPhoto]:
    for file in photos_in([folder], vocabulary):
        yield _known_file(file, str(file.path.relative_to(folder)))


def _known_file(file: TaggedFile | RejectedFile, name: str) -> KnownPhoto:
    if isinstance(file, RejectedFile):
        return KnownPhoto(name, refused=f"{file.reason}: {file.detail}")
    return KnownPhoto(name, file.keywords, file.facts, file.vector)


def _in_bucket(place: BucketPrefix, table: RecordTable) -> Iterator[KnownPhoto]:
    for record in table.scan():
        image = record.image if isinstance(record, UnreadableItem) else record.observation.image
        if image and _lies_in(place, image) and not isinstance(record, GoneImage):
            yield _known_record(image, record)


def _lies_in(place: BucketPrefix, image: ImageRef) -> bool:
    return image.bucket == place.bucket and image.key.startswith(place.prefix)


def _in_manifest(path: Path, table: RecordTable) -> Iterator[KnownPhoto]:
    images = (candidate.image for candidate in Manifest(path).images())
    for batch in map(dict.fromkeys, batched(images, _BATCH)):  # a manifest may name an image twice
        records = table.get_many(batch)
        for image in batch:
            yield _known_record(image, records.get(image))


def _known_record(image: ImageRef, record: Record | UnreadableItem | None) -> KnownPhoto:
    if isinstance(record, TaggedImage):
        return known_photo(record)
    if isinstance(record, UnreadableItem):
        return KnownPhoto(str(image), refused=f"its record cannot be read: {record.problem}")
    if isinstance(record, RejectedImage):
        return KnownPhoto(str(image), refused=f"{record.reason}: {record.detail}")
    return KnownPhoto(str(image), refused="not tagged; load it first")


def known_photo(record: TaggedImage) -> KnownPhoto:
    """Return what a record knows of its photo."""
    return KnownPhoto(
        str(record.observation.image), record.keywords, record.facts, record.vector, decisions=record.decisions
    )
