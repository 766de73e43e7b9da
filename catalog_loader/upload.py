"""The verb upload: whoever announces a photo gets a place of its own in the bucket, and a ticket to watch with."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import CallerError, ImageRejected, RejectReason
from pipeline.http_event import CREATED, Answer, json_answer, text_in
from pipeline.images import MAX_IMAGE_BYTES, ImageRef
from pipeline.watchers import UPLOADS_PREFIX, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.http_event import Request, Route
    from pipeline.ports import Clock, PhotoAddresses, Watchers

TYPES = {  # what is read, and the ending that its key gets
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/avif": ".avif",
}
MAX_NAME_CHARACTERS = 1024  # of the name as it is sent; no file system has longer ones
MAX_SLUG_CHARACTERS = 60  # chosen by us: what is kept of it, for people who read the key
ID_BYTES = 8  # chosen by us: of a billion uploads, two share a name with a chance of one in 37
SECRET_BYTES = 32  # nobody guesses 256 bits


@dataclass(frozen=True)
class Uploads:
    """Gives photos that are announced their places."""

    bucket: str
    addresses: PhotoAddresses
    watchers: Watchers
    clock: Clock
    random: Callable[[int], str]
    minutes: int

    def announce(self, name: str, media_type: str, size_bytes: int) -> dict[str, Any]:
        """Return where the photo is to be put, as what, and the ticket to watch it with.

        The ticket and the form end at ``expires_at``, which is ``seconds`` from now: for those whose clock is wrong.

        Raises:
            ImageRejected: it would be rejected anyway: too large, empty, or of a format that is not read.
        """
        _check(media_type, size_bytes)
        image = ImageRef(self.bucket, f"{UPLOADS_PREFIX}{_slug(name)}-{self.random(ID_BYTES)}{TYPES[media_type]}")
        ticket = Ticket(self.random(SECRET_BYTES), image, self.clock() + timedelta(minutes=self.minutes))
        self.watchers.issue(ticket)
        form = self.addresses.to_write(image, media_type, size_bytes, self.minutes * 60)
        return {
            "image": str(image),
            "ticket": ticket.secret,
            "expires_at": ticket.expires_at.isoformat(),
            "seconds": self.minutes * 60,
            "url": form.url,
            "fields": dict(form.fields),
        }


def make_routes(uploads: Uploads) -> Mapping[str, Route]:
    """Return what answers the route: POST /uploads announces one photo."""

    def announce(request: Request) -> Answer:
        document = request.document()
        size_bytes = document.get("size")
        if not isinstance(size_bytes, int) or isinstance(size_bytes, bool) or size_bytes < 0:
            raise CallerError("'size' must be the number of bytes")
        name = text_in(document, "name", MAX_NAME_CHARACTERS)
        media_type = document.get("type")
        if not isinstance(media_type, str):
            raise CallerError("'type' must be the media type, such as image/jpeg")
        return json_answer(uploads.announce(name, media_type.lower(), size_bytes), CREATED)

    return {"POST /uploads": announce}


def _check(media_type: str, size_bytes: int) -> None:
    if not size_bytes:
        raise ImageRejected(RejectReason.EMPTY, "the file has 0 bytes")
    if size_bytes > MAX_IMAGE_BYTES:
        raise ImageRejected(RejectReason.BYTES, f"the file has {size_bytes:,} bytes; the limit is {MAX_IMAGE_BYTES:,}")
    if media_type not in TYPES:
        kind = media_type.removeprefix("image/").upper()
        if media_type.startswith("image/") and kind.isalnum():
            raise ImageRejected(RejectReason.FORMAT, f"{kind} is not supported; convert to JPEG")
        raise ImageRejected(RejectReason.NOT_IMAGE, "the file is not a picture by its name")


def _slug(name: str) -> str:
    """Return what is kept of a file's name: nothing that anything else would read as more than letters."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARACTERS].strip("-") or "photo"
