"""Photos with what is known of them, for commands that take a folder, a prefix of a bucket or a manifest alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.images import SCHEME, BucketPrefix
from pipeline.records import TaggedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.facts import PhotoFacts
    from pipeline.images import ImageRef
    from pipeline.keywords import KeywordTag, Vocabulary
    from pipeline.ports import RecordTable
    from pipeline.records import Record
    from pipeline.vectors import FeatureVector

_BATCH = 100  # the most records that one call reads


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A photo by its name, with what one pass over it yielded; ``refused`` says why there is nothing."""

    name: str
    keywords: tuple[KeywordTag, ...] = ()
    facts: PhotoFacts | None = None
    vector: FeatureVector | None = None
    refused: str | None = None


def known_photos(place: str, vocabulary: Vocabulary) -> Iterator[KnownPhoto]:
    """Yield the photos of a folder, of ``s3://bucket/prefix``, or of a manifest (CSV).

    A folder's photos are read and classified here, once; the others' records are read, and no photo.

    Raises:
        CallerError: the place is none of the three.
        NoStack: the place is in S3, and nothing is deployed.
    """
    path = Path(place)
    if place.startswith(SCHEME):
        return _in_bucket(BucketPrefix.parse(place), _table())
    if path.is_dir():
        return _in_folder(path, vocabulary)
    if path.is_file():
        return _in_manifest(path, _table())
    raise CallerError(f"{place} is no folder and no manifest; write a folder, a CSV file or s3://bucket/prefix")


def _table() -> RecordTable:
    from results_sink.connect import table_of_stack  # noqa: PLC0415 - boto3 is loaded when it is used

    return table_of_stack()


def _in_folder(folder: Path, vocabulary: Vocabulary) -> Iterator[KnownPhoto]:
    from tagging_lambda.local_files import RejectedFile, photos_in_folder  # noqa: PLC0415 - the runtime loads slowly

    for file in photos_in_folder(folder, vocabulary):
        name = str(file.path.relative_to(folder))
        if isinstance(file, RejectedFile):
            yield KnownPhoto(name, refused=f"{file.reason}: {file.detail}")
        else:
            yield KnownPhoto(name, file.keywords, file.facts, file.vector)


def _in_bucket(place: BucketPrefix, table: RecordTable) -> Iterator[KnownPhoto]:
    for record in table.scan():
        image = record.observation.image
        if image.bucket == place.bucket and image.key.startswith(place.prefix) and isinstance(record, TaggedImage):
            yield known_photo(record)


def _in_manifest(path: Path, table: RecordTable) -> Iterator[KnownPhoto]:
    from catalog_loader.manifest import Manifest  # noqa: PLC0415 - only where there is one

    images = (candidate.image for candidate in Manifest(path).images())
    for batch in _batches(images):
        records = table.get_many(batch)
        for image in batch:
            yield _known_or_missing(image, records.get(image))


def _known_or_missing(image: ImageRef, record: Record | None) -> KnownPhoto:
    if isinstance(record, TaggedImage):
        return known_photo(record)
    return KnownPhoto(str(image), refused="not tagged; load it first")


def known_photo(record: TaggedImage) -> KnownPhoto:
    """Return what a record knows of its photo."""
    return KnownPhoto(str(record.observation.image), record.keywords, record.facts, record.vector)


def _batches(images: Iterable[ImageRef]) -> Iterator[list[ImageRef]]:
    waiting = iter(images)
    while batch := list(islice(waiting, _BATCH)):
        yield list(dict.fromkeys(batch))
