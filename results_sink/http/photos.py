"""The verb show, for eyes: addresses by which a browser shows the catalogue's photos, for some minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.http_event import Answer, json_answer
from pipeline.images import ImageRef

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.http_event import Request, Route
    from pipeline.ports import PhotoAddresses

MOST = 100  # photos of one request, chosen by us: a page of results
SECONDS = 900  # chosen by us: as long as somebody looks at a page


@dataclass(frozen=True)
class Photos:
    """Gives out addresses of photos in buckets that are the catalogue's."""

    addresses: PhotoAddresses
    buckets: Collection[str]

    def addresses_of(self, names: list[str]) -> dict[str, str]:
        """Return where each photo can be read; one in another bucket has no address."""
        images = {name: ImageRef.parse(name) for name in names}
        return {
            name: self.addresses.to_read(image, SECONDS)
            for name, image in images.items()
            if image.bucket in self.buckets
        }


def make_routes(photos: Photos) -> Mapping[str, Route]:
    """Return what answers the route: POST /photos."""

    def show(request: Request) -> Answer:
        names = request.document().get("images")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise CallerError("'images' must be a list of names, s3://bucket/key")
        if len(names) > MOST:
            raise CallerError(f"'images' has {len(names):,} names; the limit is {MOST}")
        return json_answer({"photos": photos.addresses_of(names), "seconds": SECONDS})

    return {"POST /photos": show}
