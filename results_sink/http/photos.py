"""The route that shows photos: addresses by which a browser reads the catalogue's photos, for some minutes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.http import catalogue as answers
from pipeline.http.models import ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from pipeline.ports import PhotoAddresses, RecordTable

SECONDS = 900  # chosen by us: as long as somebody looks at a page


@dataclass(frozen=True)
class CataloguePhotos:
    """Gives out addresses of photos that have a record.

    A bucket may hold more than the catalogue, so the record decides and not the bucket's name alone. The bucket is
    checked first: the table is not asked about others' buckets.
    """

    addresses: PhotoAddresses
    table: RecordTable
    buckets: Collection[str]

    def addresses_of(self, names: Sequence[str]) -> dict[str, str]:
        """Return where each photo can be read; a photo without a record has no address.

        Raises:
            CallerError: a name is no image.
        """
        images = {name: ImageRef.parse(name) for name in names}
        ours = list(dict.fromkeys(image for image in images.values() if image.bucket in self.buckets))
        known = self.table.get_many(ours)
        return {name: self.addresses.to_read(image, SECONDS) for name, image in images.items() if image in known}


def add_routes(app: Resolver, photos: CataloguePhotos) -> None:
    """Let the app answer POST /photos."""

    @app.operation("POST", "/photos", tag=Tag.LOOKUP, problems=[ProblemCode.UNSUPPORTED_MEDIA_TYPE])
    def photo_addresses(request: Annotated[answers.PhotoNames, Body()]) -> answers.PhotoAddresses:
        """Return addresses by which a browser reads photos, for 15 minutes."""
        return answers.PhotoAddresses(photos=photos.addresses_of(request.images), seconds=SECONDS)
