"""Thumbnails: small pictures of the catalogue's photos, made when somebody first looks, and kept for a month."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from pipeline.http.models import MAX_BUCKET_CHARACTERS, ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import MAX_KEY_BYTES, ImageRef
from pipeline.ports import FileStore
from tagging_lambda.recorded_photos import RecordedPhotos

WEBP = "image/webp"
QUALITY = 75  # chosen by eye: at 320 pixels some 8 kB a photo, and at 90 twice as many without a visible difference
# Where they are kept. The template's rule deletes what lies here; ExportPrefix can have no dot, so no export ever does.
FOLDER = "thumbnails.v1/"
KEPT_BY_BROWSERS = "private, max-age=600, stale-while-revalidate=86400"  # a replaced photo is seen within ten minutes
ONE_LINE = r"^[^\n]+$"  # what a path can hold


class ThumbnailSize(StrEnum):
    """How many pixels the longer side has at most: few sizes, so that few are made."""

    GRID = "320"
    PHOTO = "640"


Size = Annotated[ThumbnailSize, Path(description="Pixels of the longer side, at most: no photo is enlarged.")]
Bucket = Annotated[str, Path(min_length=1, max_length=MAX_BUCKET_CHARACTERS)]
Key = Annotated[str, Path(min_length=1, max_length=MAX_KEY_BYTES, pattern=ONE_LINE, description="With its slashes.")]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP file, and the name of exactly this picture."""

    data: bytes
    version: str


# DECISIONS.md, 111: made on demand, since a PUT for each of a million photos would cost more than tagging them.
@dataclass(frozen=True)
class Thumbnails:
    """Makes thumbnails and keeps them.

    Attributes:
        photos: whose thumbnails are made.
        kept: where they are kept.
        make: returns a photo's bytes as a WebP file of a size, or raises ImageRejected.
    """

    photos: RecordedPhotos
    kept: FileStore
    make: Callable[[bytes, ThumbnailSize], bytes]

    def thumbnail(self, image: ImageRef, size: ThumbnailSize) -> Thumbnail:
        """Return the thumbnail of a photo as it was when it was tagged; of a newer one, where it was replaced since.

        Raises:
            NotFoundError: there is no such photo in the catalogue.
            ImageRejected: it cannot be read.
        """
        etag = self.photos.etag_of(image)
        version = _version_of(image, etag, size)
        data = self.kept.read(_name_of(version)) if etag else None
        if data is not None:
            return Thumbnail(data, version)
        fetched = self.photos.fetch(image)
        made = Thumbnail(self.make(fetched.data, size), _version_of(image, fetched.etag, size))
        self.kept.write_if(_name_of(made.version), made.data, None)
        return made


def _version_of(image: ImageRef, etag: str | None, size: ThumbnailSize) -> str:
    return hashlib.sha256(f"{size}\n{etag}\n{image}".encode()).hexdigest()


def _name_of(version: str) -> str:
    return f"{FOLDER}{version}.webp"


def add_routes(app: Resolver, thumbnails: Thumbnails) -> None:
    """Let the app answer GET /thumbnails/{size}/{bucket}/{key}."""

    @app.operation(
        "GET",
        "/thumbnails/<size>/<bucket>/<key>",
        tag=Tag.LOOKUP,
        problems=[ProblemCode.NOT_FOUND, ProblemCode.PHOTO_REJECTED],
        media_type=WEBP,
    )
    def thumbnail(size: Size, bucket: Bucket, key: Key) -> Response[Any]:
        """Return a photo as a small picture: WebP, upright, on white, in sRGB.

        Of every format that is read. It is made when it is first asked for, and kept for 30 days.
        """
        picture = thumbnails.thumbnail(ImageRef(unquote(bucket), unquote(key)), size)
        headers: dict[str, str | list[str]] = {"etag": f'"{picture.version[:32]}"', "cache-control": KEPT_BY_BROWSERS}
        return Response(int(HTTPStatus.OK), WEBP, picture.data, headers)
