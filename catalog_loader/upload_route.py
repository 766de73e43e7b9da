"""Uploads: an announced photo gets a key in the bucket and a ticket; an uploaded one is replaced or removed."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.errors import CallerError, ImageRejected
from pipeline.http.models import Bucket, Key, ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.http.uploading import TYPES, AnnouncedPhoto, AnnouncedUpload, RemovedPhoto, UploadTicket
from pipeline.images import ImageRef, check_file_size
from pipeline.ports import Clock, ImageStore, PhotoAddresses, Watchers
from pipeline.reject_reasons import RejectReason
from pipeline.watchers import UPLOADS_PREFIX, Ticket

MAX_SLUG_CHARACTERS = 60  # chosen by us: what is kept of it, for people who read the key
ID_BYTES = 8  # chosen by us: of a billion uploads, two share a name with a chance of one in 37
SECRET_BYTES = 32  # nobody guesses 256 bits


@dataclass(frozen=True)
class Uploads:
    """Gives photos that are announced a key each, and takes back what came this way.

    Other photos of the catalogue are the shop's own, and are replaced or removed where they come from.
    """

    bucket: str
    addresses: PhotoAddresses
    images: ImageStore
    watchers: Watchers
    clock: Clock
    random: Callable[[int], str]
    minutes: int

    def announce(self, name: str, media_type: str, size_bytes: int, product: str | None = None) -> UploadTicket:
        """Return the form that takes the photo, and the ticket to watch it with.

        Raises:
            ImageRejected: it would be rejected anyway: too large, empty, or of a format that is not read.
            CallerError: the product's id is too long.
        """
        _check(media_type, size_bytes)
        key = f"{UPLOADS_PREFIX}{_slug(name)}-{self.random(ID_BYTES)}{TYPES[media_type]}"
        return self._ticket(ImageRef(self.bucket, key), media_type, size_bytes, product)

    def replace(self, image: ImageRef, media_type: str, size_bytes: int) -> UploadTicket:
        """Return the form that takes a photo in the place of one that was uploaded; it stays the product's.

        Raises:
            ImageRejected: as for ``announce``.
            CallerError: it was not uploaded here.
        """
        self._check_uploaded(image)
        _check(media_type, size_bytes)
        return self._ticket(image, media_type, size_bytes)

    def remove(self, image: ImageRef) -> None:
        """Remove a photo that was uploaded from the bucket.

        Raises:
            CallerError: it was not uploaded here.
        """
        self._check_uploaded(image)
        self.images.delete(image)

    def _check_uploaded(self, image: ImageRef) -> None:
        if image.bucket != self.bucket or not image.key.startswith(UPLOADS_PREFIX):
            raise CallerError(
                f"{image} was not uploaded here: only photos below s3://{self.bucket}/{UPLOADS_PREFIX} are replaced "
                "and removed here; change others where they come from"
            )

    def _ticket(self, image: ImageRef, media_type: str, size_bytes: int, product: str | None = None) -> UploadTicket:
        ticket = Ticket(self.random(SECRET_BYTES), image, self.clock() + timedelta(minutes=self.minutes))
        form = self.addresses.to_write(image, media_type, size_bytes, self.minutes * 60, product)
        self.watchers.issue(ticket)
        return UploadTicket(
            image=str(image),
            ticket=ticket.secret,
            expires_at=ticket.expires_at.isoformat(),
            seconds=self.minutes * 60,
            url=form.url,
            fields=dict(form.fields),
        )


def add_routes(app: Resolver, uploads: Uploads) -> None:
    """Let the app answer POST /uploads."""

    @app.operation(
        "POST",
        "/uploads",
        tag=Tag.UPLOAD,
        status=HTTPStatus.CREATED,
        problems=[ProblemCode.PHOTO_REJECTED, ProblemCode.UNSUPPORTED_MEDIA_TYPE],
    )
    def announce_upload(photo: Annotated[AnnouncedUpload, Body()]) -> UploadTicket:
        """Announce a photo, and get the form that takes it.

        The photo is tagged as soon as it has arrived. The ticket lets a WebSocket receive the result.
        """
        return uploads.announce(photo.name, photo.type.lower(), photo.size, photo.product)

    @app.operation(
        "PUT",
        "/images/<bucket>/<key>",
        tag=Tag.UPLOAD,
        problems=[ProblemCode.PHOTO_REJECTED, ProblemCode.UNSUPPORTED_MEDIA_TYPE],
    )
    def replace_upload(bucket: Bucket, key: Key, photo: Annotated[AnnouncedPhoto, Body()]) -> UploadTicket:
        """Announce a photo that takes the place of an uploaded one, and get the form that takes it.

        The keywords that people decided on stay.
        """
        return uploads.replace(ImageRef(unquote(bucket), unquote(key)), photo.type.lower(), photo.size)

    @app.operation("DELETE", "/images/<bucket>/<key>", tag=Tag.UPLOAD)
    def remove_upload(bucket: Bucket, key: Key) -> RemovedPhoto:
        """Remove an uploaded photo from the bucket.

        A photo that is not there is no error. Its keywords are gone within seconds.
        """
        image = ImageRef(unquote(bucket), unquote(key))
        uploads.remove(image)
        return RemovedPhoto(image=str(image))


def _check(media_type: str, size_bytes: int) -> None:
    if not size_bytes:
        raise ImageRejected(RejectReason.EMPTY, "the file has 0 bytes")
    check_file_size(size_bytes)
    if media_type not in TYPES:
        kind = media_type.removeprefix("image/").upper()
        if media_type.startswith("image/") and kind.isalnum():
            raise ImageRejected(RejectReason.FORMAT, f"{kind} is not supported; convert to JPEG")
        raise ImageRejected(RejectReason.NOT_IMAGE, "the file is not a photo by its type")


def _slug(name: str) -> str:
    """Return what is kept of a file's name: nothing that anything else would read as more than letters."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARACTERS].strip("-") or "photo"
