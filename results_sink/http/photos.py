"""The route for photos: short-lived URLs by which a browser reads the catalogue's photos."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.http import catalogue as answers
from pipeline.http.models import ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from pipeline.ports import PhotoAddresses, RecordTable

SECONDS = 900  # chosen by us: as long as a person stays on a page


@dataclass(frozen=True)
class CataloguePhotos:
    """Issues URLs of photos that have a record.

    A bucket may hold more than the catalogue, so the record decides, not the bucket's name alone. The bucket is
    checked first, so that the table is not queried for other buckets.
    """

    addresses: PhotoAddresses
    table: RecordTable
    buckets: Collection[str]

    def addresses_of(self, names: Sequence[str]) -> dict[str, str]:
        """Return the URL of each photo; a photo without a record has none.

        Raises:
            CallerError: a name is not that of an image.
        """
        images = {name: ImageRef.parse(name) for name in names}
        ours = list(dict.fromkeys(image for image in images.values() if image.bucket in self.buckets))
        known = self.table.get_many(ours)
        return {name: self.addresses.to_read(image, SECONDS) for name, image in images.items() if image in known}


def add_routes(app: Resolver, photos: CataloguePhotos) -> None:
    """Add the route POST /photos."""

    @app.operation("POST", "/photos", tag=Tag.LOOKUP, problems=[ProblemCode.UNSUPPORTED_MEDIA_TYPE])
    def photo_addresses(request: Annotated[answers.PhotoNames, Body()]) -> answers.PhotoAddresses:
        """Return addresses by which a browser reads photos, for 15 minutes."""
        return answers.PhotoAddresses(photos=photos.addresses_of(request.images), seconds=SECONDS)
