"""Feature vectors of labelled photos: from the model for files, from records or an export for tagged photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.images import FILE_SCHEME, ImageRef, exported_image
from pipeline.records import Record, TaggedImage
from tagging_lambda.tag_files import FileTagger, TaggedFile
from tagging_lambda.words.learn import SeenPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tagging_lambda.words.labels import LabelledPhoto


@dataclass(frozen=True, slots=True)
class PhotoVectors:
    """Reads the vectors of labelled photos.

    Attributes:
        tagger: runs the model on files.
        records: returns the records of images by name; called only if an image is named.
        warn: receives each photo without a vector, and why.
        exported: an export's records by image, if given: read instead of the table and the files.
    """

    tagger: FileTagger
    records: Callable[[Sequence[ImageRef]], Mapping[ImageRef, Record]]
    warn: Callable[[str], None]
    exported: Mapping[ImageRef, Record] | None = None

    def read(self, photos: Sequence[LabelledPhoto]) -> Iterator[SeenPhoto | None]:
        """Yield each photo with its vector, the tagged ones first; None for a photo without one.

        Raises:
            CallerError: a stored vector is of another model than the tagger's.
        """
        exported = self.exported or {}
        stored = [photo for photo in photos if isinstance(photo.source, str) or image_of(photo) in exported]
        yield from self._stored(stored)
        files = [photo for photo in photos if photo not in set(stored)]
        results = self.tagger.tag(Path(photo.source) for photo in files)
        for photo, result in zip(files, results, strict=True):
            if isinstance(result, TaggedFile) and result.vector is not None:
                yield SeenPhoto(photo, result.vector)
            else:
                reason = "the model has no vectors" if isinstance(result, TaggedFile) else result.detail
                self.warn(f"line {photo.line:,}: {photo.text} is left out: {reason}")
                yield None

    @property
    def _renewal(self) -> str:
        return "`catalog-tagger load --only stale`" if self.exported is None else "tagging it again"

    def _stored(self, photos: Sequence[LabelledPhoto]) -> Iterator[SeenPhoto | None]:
        if not photos:
            return
        images = [image_of(photo) for photo in photos]
        records = self.records(images) if self.exported is None else self.exported
        for photo, image in zip(photos, images, strict=True):
            record = records.get(image)
            vector = record.vector if isinstance(record, TaggedImage) else None
            if vector is None:
                reason = "it is not tagged" if record is None else "its record has no feature vector; tag it again"
                self.warn(f"line {photo.line:,}: {photo.text} is left out: {reason}")
                yield None
            elif vector.space != self.tagger.space:
                raise CallerError(
                    f"line {photo.line:,}: the vector of {photo.text} is of another model ({vector.space}); "
                    f"{self._renewal} brings it over to the present one ({self.tagger.space})"
                )
            else:
                yield SeenPhoto(photo, vector)


def image_of(photo: LabelledPhoto) -> ImageRef:
    """Return the image's name in a table or an export: for a file, its absolute path."""
    is_file = isinstance(photo.source, Path)
    return exported_image(f"{FILE_SCHEME}{Path(photo.source).resolve()}" if is_file else str(photo.source))
