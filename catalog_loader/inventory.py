"""Reads an S3 Inventory: the daily or weekly list that Amazon S3 writes of a bucket, so that nobody has to list it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog_loader.candidates import Candidate
from catalog_loader.inventory_rows import InventoryFormat, InventoryRow, read_rows
from pipeline.errors import CallerError, NoStack
from pipeline.images import SCHEME, BucketPrefix, ImageRef, ListedImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.ports import FileStore

    OpenFiles = Callable[[BucketPrefix], FileStore]

MANIFEST_NAME = "/manifest.json"


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """One of the files that list the bucket's objects."""

    key: str
    md5: str  # in hexadecimal digits


@dataclass(frozen=True, slots=True)
class Inventory:
    """An inventory of one bucket, of which only keys that begin with ``prefix`` are wanted.

    It lists the bucket as it was a day or a week ago, in no order that S3 promises; it is always read in the same one.
    """

    manifest: ImageRef
    bucket: str
    file_format: InventoryFormat
    columns: tuple[str, ...]  # of a CSV file, which has no header
    files: tuple[InventoryFile, ...]
    store: FileStore
    store_bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return str(self.manifest)

    @property
    def wanted(self) -> BucketPrefix:
        """The part of the bucket that the inventory is read for."""
        return BucketPrefix(self.bucket, self.prefix)

    @classmethod
    def load(cls, address: str, open_files: OpenFiles, prefix: str = "") -> Inventory:
        """Return the inventory whose ``manifest.json`` lies at ``s3://bucket/key``.

        Raises:
            CallerError: there is no such object, or it is no manifest of S3 Inventory.
        """
        manifest = ImageRef.parse(address)
        try:
            data = open_files(BucketPrefix(manifest.bucket)).read(manifest.key)
        except NoStack as error:
            raise CallerError(f"there is no bucket {manifest.bucket}") from error
        if data is None:
            raise CallerError(f"there is no {manifest}")
        try:
            return _inventory(manifest, json.loads(data), open_files, prefix)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise CallerError(f"{manifest} is no manifest of S3 Inventory: {problem}") from error

    def images(self) -> Iterator[Candidate]:
        """Yield the objects that are there, in the order of the files: no older versions, and no delete markers.

        Each file is downloaded, compared with its MD5 and read before the next one, so the disk holds one at a time.

        Raises:
            CallerError: a file is missing, damaged, or not as the manifest says, when it is reached.
        """
        with tempfile.TemporaryDirectory(prefix="inventory-") as folder:
            for file in self.files:  # whole, so that nothing is sent before its MD5 is known (DECISIONS.md, 128)
                path = Path(folder, "file")
                self._download(file, path)
                yield from self._candidates(file, path)

    def _candidates(self, file: InventoryFile, path: Path) -> Iterator[Candidate]:
        try:
            for row in read_rows(path, self.file_format, self.columns):
                if row.is_current and row.key.startswith(self.prefix):
                    yield _candidate(self.bucket, row)
        except CallerError as error:
            raise CallerError(f"{self._address(file)}: {error}") from error

    def _download(self, file: InventoryFile, path: Path) -> None:
        if not self.store.download(file.key, path):
            raise CallerError(f"{self} names {self._address(file)}, which is not there; take a newer inventory")
        with path.open("rb") as content:
            md5 = hashlib.file_digest(content, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
        if md5 != file.md5.lower():
            raise CallerError(
                f"{self._address(file)} has the MD5 {md5}, and {self} says {file.md5}; take a newer inventory"
            )

    def _address(self, file: InventoryFile) -> str:
        return f"{SCHEME}{self.store_bucket}/{file.key}"


def is_inventory(source: str) -> bool:
    """Return whether the source is the manifest of an inventory: an object in S3 with the name that S3 gives it."""
    return source.startswith(SCHEME) and source.endswith(MANIFEST_NAME)


def _inventory(manifest: ImageRef, document: Any, open_files: OpenFiles, prefix: str) -> Inventory:
    names = [file_format.value for file_format in InventoryFormat]
    if document["fileFormat"] not in names:
        raise ValueError(f"its fileFormat is {document['fileFormat']!r}, not {', '.join(names)}")
    bucket = document["destinationBucket"].rpartition(":")[2]  # an ARN
    return Inventory(
        manifest=manifest,
        bucket=document["sourceBucket"],
        file_format=InventoryFormat(document["fileFormat"]),
        columns=tuple(name.strip() for name in document["fileSchema"].split(",")),  # only CSV's are written like this
        files=tuple(InventoryFile(file["key"], file["MD5checksum"]) for file in document["files"]),
        store=open_files(BucketPrefix(bucket)),
        store_bucket=bucket,
        prefix=prefix,
    )


def _candidate(bucket: str, row: InventoryRow) -> Candidate:
    image = ImageRef(bucket, row.key)
    # Which of these columns there are is the choice of whoever set the inventory up.
    if row.etag is None or row.size_bytes is None or row.modified_at is None:
        return Candidate(image)
    return Candidate(image, ListedImage(image, row.etag, row.size_bytes, row.modified_at))
