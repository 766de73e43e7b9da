"""Photos and files in Amazon S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipeline.aws.errors import code_of, translated
from pipeline.errors import CallerError, Denied, ImageRejected, NoStack, RetryLater, TooLarge
from pipeline.images import (
    BucketPrefix,
    Fetched,
    FetchedImage,
    Gone,
    ImageRef,
    ListedImage,
    Unchanged,
    product_of_metadata,
)
from pipeline.ports import FileVersion, StoredFile
from pipeline.reject_reasons import RejectReason

DOWNLOAD_LIMIT_S = 30  # chosen by us: three times what the largest image needs; a read timeout stops no slow trickle
CHUNK_BYTES = 16_384  # chosen by us: how often a download's time is checked
DELETE_BATCH = 1000  # the most keys Amazon S3 permits in one DeleteObjects
_DENIALS_OF_ONE = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden", "InvalidObjectState", "403"})
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey", "404"})


@dataclass(frozen=True)
class S3Images:
    """Photos in S3, as ``ImageStore`` promises."""

    s3: Any
    clock_s: Callable[[], float] = time.monotonic

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as it is now, by one GetObject."""
        condition = {"IfNoneMatch": known_etag} if known_etag else {}
        try:
            with translated(str(image)):
                return self._read(image, condition, limit_bytes)
        except ClientError as error:
            if code_of(error) in {"304", "NotModified"}:
                return Unchanged()
            if code_of(error) in {"404", "NoSuchKey"}:
                return Gone()
            raise
        except Denied as error:
            if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in _DENIALS_OF_ONE:
                raise ImageRejected(RejectReason.DENIED, f"{image} may not be read with this role") from error
            raise
        except NoStack as error:
            raise ImageRejected(RejectReason.MISSING, f"there is no bucket {image.bucket}") from error

    def _read(self, image: ImageRef, condition: dict[str, str], limit_bytes: int) -> FetchedImage:
        answer = self.s3.get_object(Bucket=image.bucket, Key=image.key, **condition)
        body = answer["Body"]
        # The loader sends files of any size, so that the table says which are too large (DECISIONS.md, 8).
        if answer["ContentLength"] > limit_bytes:
            body.close()
            actual = f"{image} has {answer['ContentLength']:,} bytes"
            raise TooLarge(f"{actual}; the limit is {limit_bytes:,}", answer["ETag"], answer["LastModified"])
        product = product_of_metadata(answer.get("Metadata", {}))
        return FetchedImage(self._downloaded(image, body), answer["ETag"], answer["LastModified"], product)

    def _downloaded(self, image: ImageRef, body: Any) -> bytes:
        deadline_s, data = self.clock_s() + DOWNLOAD_LIMIT_S, bytearray()
        for chunk in body.iter_chunks(CHUNK_BYTES):
            data += chunk
            if self.clock_s() > deadline_s:
                body.close()
                raise RetryLater(f"{image}: the download takes more than {DOWNLOAD_LIMIT_S} s")
        return bytes(data)

    def delete(self, image: ImageRef) -> None:
        """Remove the object by DeleteObject."""
        with translated(str(image)):
            self.s3.delete_object(Bucket=image.bucket, Key=image.key)

    def listing(self, location: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield the objects by ListObjectsV2, a thousand a call.

        Raises:
            CallerError: there is no such bucket.
        """
        pages = self.s3.get_paginator("list_objects_v2")
        try:
            with translated(str(location)):
                for page in pages.paginate(Bucket=location.bucket, Prefix=location.prefix, StartAfter=start_after):
                    for entry in page.get("Contents", ()):
                        image = ImageRef(location.bucket, entry["Key"])
                        yield ListedImage(image, entry["ETag"], entry["Size"], entry["LastModified"])
        except NoStack as error:
            raise CallerError(f"there is no bucket {location.bucket}") from error


@dataclass(frozen=True)
class S3Files:
    """An export below a prefix of a bucket, as ``FileStore`` promises."""

    s3: Any
    location: BucketPrefix

    def now(self) -> datetime:
        """Return the time that S3 puts on every answer, in whole seconds."""
        with translated(str(self.location)):
            answer = self.s3.head_bucket(Bucket=self.location.bucket)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def write(self, name: str, source: Path) -> str:
        """Upload the file by one PutObject, whose answer has its ETag; S3 shows an object only when it is whole."""
        with translated(str(self.location)), source.open("rb") as body:
            answer = self.s3.put_object(Bucket=self.location.bucket, Key=self.location.prefix + name, Body=body)
        return str(answer["ETag"])

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None if there is none."""
        file = self.read_version(name)
        return None if file is None else file.data

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and ETag, or None where there is none."""
        try:
            with translated(str(self.location)):
                answer = self.s3.get_object(Bucket=self.location.bucket, Key=self.location.prefix + name)
                return FileVersion(bytes(answer["Body"].read()), answer["ETag"])
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchKey"}:
                return None
            raise

    def download(self, name: str, target: Path) -> bool:
        """Download the file in parts, several at once, each of which is retried if it breaks off."""
        try:
            with translated(str(self.location)):
                self.s3.download_file(
                    Bucket=self.location.bucket, Key=self.location.prefix + name, Filename=str(target)
                )
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchKey"}:
                return False
            raise
        return True

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file by one conditional PutObject."""
        condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen}
        try:
            with translated(str(self.location)):
                self.s3.put_object(Bucket=self.location.bucket, Key=self.location.prefix + name, Body=data, **condition)
        except ClientError as error:
            if code_of(error) in _OVERTAKEN:
                return False
            raise
        return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        for file in self.listing(prefix):
            yield file.name

    def listing(self, prefix: str = "") -> Iterator[StoredFile]:
        """Yield the files by ListObjectsV2, a thousand a call."""
        inside = BucketPrefix(self.location.bucket, self.location.prefix + prefix)
        for listed in S3Images(self.s3).listing(inside):
            name = listed.image.key.removeprefix(self.location.prefix)
            yield StoredFile(name, listed.size_bytes, listed.etag, listed.modified_at)

    def delete(self, names: Collection[str]) -> None:
        """Remove these files by DeleteObjects, a thousand a call."""
        keys = [{"Key": self.location.prefix + name} for name in names]
        for start in range(0, len(keys), DELETE_BATCH):
            with translated(str(self.location)):
                batch = {"Objects": keys[start : start + DELETE_BATCH], "Quiet": True}
                answer = self.s3.delete_objects(Bucket=self.location.bucket, Delete=batch)
            if answer.get("Errors"):
                raise RetryLater(f"{self.location}: {len(answer['Errors']):,} files could not be removed")
