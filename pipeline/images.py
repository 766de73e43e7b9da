"""Images by name, and what a listing or a download says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote, unquote_plus

from pipeline.errors import CallerError, ImageRejected
from pipeline.reject_reasons import RejectReason

MAX_KEY_BYTES = 1024  # the longest key Amazon S3 permits, in UTF-8
MAX_PRODUCT_BYTES = 1024  # chosen by us: half of what DynamoDB permits in an index key (2,048 bytes)
PRODUCT_METADATA = "product"  # the name of the user metadata; in HTTP x-amz-meta-product
MAX_METADATA_BYTES = 2_000  # of the 2,048 that Amazon S3 permits, less the name
MAX_IMAGE_BYTES = 20 * 1024 * 1024  # chosen by us: accepts all 6,780 real photos that were measured
SCHEME = "s3://"
FILE_SCHEME = "file://"


def check_file_size(size_bytes: int) -> None:
    """Refuse a file that is too large to be read.

    Raises:
        ImageRejected: it has more than ``MAX_IMAGE_BYTES``.
    """
    if size_bytes > MAX_IMAGE_BYTES:
        raise ImageRejected(RejectReason.BYTES, f"the file has {size_bytes:,} bytes; the limit is {MAX_IMAGE_BYTES:,}")


# The object itself says its product: a message after an upload may be lost (DECISIONS.md, 115).
def product_metadata(product: str) -> dict[str, str]:
    """Return the user metadata by which an object says its product: percent-encoded, since headers are ASCII.

    Raises:
        CallerError: it is too long for the metadata of an object.
    """
    encoded = quote(product)
    if len(encoded) > MAX_METADATA_BYTES:
        raise CallerError(
            f"a product's id takes up to {MAX_METADATA_BYTES:,} bytes, percent-encoded; this one takes {len(encoded):,}"
        )
    return {PRODUCT_METADATA: encoded}


def product_of_metadata(metadata: Mapping[str, str]) -> str | None:
    """Return the product that an object's user metadata names; None where it names none that a record could have."""
    product = unquote(metadata.get(PRODUCT_METADATA, ""))
    return product if 0 < len(product.encode()) <= MAX_PRODUCT_BYTES else None


def is_unicode(text: str) -> bool:
    """Return whether the text can be encoded in UTF-8: text from a terminal or a file may hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, order=True)
class ImageRef:
    """The name of an image: its bucket and its decoded key."""

    bucket: str
    key: str

    def __post_init__(self) -> None:
        """Refuse names that no bucket can hold."""
        size_bytes = len(self.key.encode("utf-8", "surrogatepass"))
        if not self.bucket or "/" in self.bucket:
            raise CallerError(f"{self.bucket!r} is not the name of a bucket")
        if not 0 < size_bytes <= MAX_KEY_BYTES:
            raise CallerError(f"a key has 1 to {MAX_KEY_BYTES:,} bytes; this one has {size_bytes:,}")

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, uri: str) -> ImageRef:
        """Return the image that ``s3://bucket/key`` names. The key is taken literally, not decoded.

        Raises:
            CallerError: the text is not such a name.
        """
        prefix = BucketPrefix.parse(uri)
        if not prefix.prefix:
            raise CallerError(f"{uri!r} names a bucket, not an image; write s3://bucket/key")
        return cls(prefix.bucket, prefix.prefix)

    @classmethod
    def from_event(cls, bucket: str, encoded_key: str) -> ImageRef:
        """Return the image of an S3 event, whose keys are encoded like a form: ``+`` is a space."""
        return cls(bucket, unquote_plus(encoded_key))


# A type of its own, so that no message, manifest or route can name a file of this machine (DECISIONS.md, 90).
@dataclass(frozen=True, slots=True, order=True)
class LocalImage(ImageRef):
    """A photo in a local file, as an export of local photos names it: no bucket, and its path as the key."""

    def __post_init__(self) -> None:
        """Refuse names that an export cannot store, because its strings are UTF-8."""
        if not is_unicode(self.key):
            raise CallerError(f"{self.key!r} is not valid Unicode; rename the file")

    def __str__(self) -> str:
        return f"{FILE_SCHEME}{self.key}"

    @classmethod
    def of(cls, path: Path) -> LocalImage:
        """Return the photo at the path.

        Raises:
            CallerError: the path is not valid Unicode.
        """
        return cls("", str(path.absolute()))


def exported_image(name: str) -> ImageRef:
    """Return the image that an export names: ``s3://bucket/key``, or ``file://`` and the path, not encoded.

    Raises:
        CallerError: the text is not such a name.
    """
    return LocalImage("", name.removeprefix(FILE_SCHEME)) if name.startswith(FILE_SCHEME) else ImageRef.parse(name)


@dataclass(frozen=True, slots=True)
class BucketPrefix:
    """A part of a bucket: every key that begins with the prefix, which may be empty."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    @classmethod
    def parse(cls, uri: str) -> BucketPrefix:
        """Return the place that ``s3://bucket`` or ``s3://bucket/prefix`` names.

        Raises:
            CallerError: the text is not such a place.
        """
        bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket:
            raise CallerError(f"{uri!r} is not a place in S3; write s3://bucket/prefix")
        if not is_unicode(uri):
            raise CallerError(f"{uri!r} is not valid Unicode, as every key in S3 is")
        return cls(bucket, prefix)


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One entry of a bucket's listing."""

    image: ImageRef
    etag: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An object as it was when it was read; ``product`` is what its own metadata says, if it says any."""

    data: bytes
    etag: str
    modified_at: datetime
    product: str | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The object still has the ETag that was already known: nothing was downloaded."""


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no object under this name now."""


Fetched = FetchedImage | Unchanged | Gone
