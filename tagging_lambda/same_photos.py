"""Whether photos of the catalogue are the same photo under several names, by their pixels."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.errors import ImageRejected
from pipeline.http.alike import ComparedPhotos, SamePhotos
from pipeline.http.models import ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from tagging_lambda.image.same_photo import PhotoPrint, is_same_photo
from tagging_lambda.recorded_photos import RecordedPhotos


# DECISIONS.md, 114: asked after an upload's result, and decided by pixels.
@dataclass(frozen=True)
class PhotoComparison:
    """Compares photos; ``print_of`` returns a photo's print by its bytes, or raises ImageRejected."""

    photos: RecordedPhotos
    print_of: Callable[[bytes], PhotoPrint]

    def same_as(self, image: ImageRef, candidates: Sequence[ImageRef]) -> list[ImageRef]:
        """Return the candidates that are the same photo: recompressed, cut, mirrored or padded, but not recoloured.

        A candidate that cannot be read is none: what is asked is whether somebody can see the same photo there.

        Raises:
            NotFoundError: the image is not in the catalogue.
            ImageRejected: it cannot be read.
        """
        own = self._print(image)
        same = []
        for candidate in dict.fromkeys(candidates):
            with suppress(NotFoundError, ImageRejected):
                if candidate != image and is_same_photo(own, self._print(candidate)):
                    same.append(candidate)
        return same

    def _print(self, image: ImageRef) -> PhotoPrint:
        self.photos.etag_of(image)
        return self.print_of(self.photos.fetch(image).data)


def add_routes(app: Resolver, comparison: PhotoComparison) -> None:
    """Let the app answer POST /duplicates."""

    @app.operation(
        "POST",
        "/duplicates",
        tag=Tag.LOOKUP,
        problems=[ProblemCode.NOT_FOUND, ProblemCode.PHOTO_REJECTED, ProblemCode.UNSUPPORTED_MEDIA_TYPE],
    )
    def same_photos(request: Annotated[ComparedPhotos, Body()]) -> SamePhotos:
        """Return which of some photos are the same as one.

        The same photo is one that was recompressed, made smaller, cut, mirrored or padded; never another colour of the
        product. `POST /v1/similar` names photos worth comparing.
        """
        image = ImageRef.parse(request.image)
        same = comparison.same_as(image, [ImageRef.parse(name) for name in request.candidates])
        return SamePhotos(image=request.image, same=[str(candidate) for candidate in same])
