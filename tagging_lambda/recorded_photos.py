"""Photos of the catalogue for whoever looks at them: only those that have a record, as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from pipeline.errors import ImageRejected
from pipeline.images import MAX_IMAGE_BYTES, FetchedImage, ImageRef
from pipeline.records import GoneImage, RejectedImage
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.ports import ImageStore, RecordTable


@dataclass(frozen=True)
class RecordedPhotos:
    """Fetches photos that have a record: a bucket may hold more than the catalogue.

    The bucket is checked first, so that neither the table nor another's bucket is asked about names that are not ours.
    """

    table: RecordTable
    images: ImageStore
    buckets: Collection[str]

    def etag_of(self, image: ImageRef) -> str | None:
        """Return the ETag under which the photo was tagged; None where its record names none.

        Raises:
            NotFoundError: it has no record, or is gone.
            ImageRejected: it was rejected when it was to be tagged.
        """
        record = self.table.get_many([image]).get(image) if image.bucket in self.buckets else None
        if record is None or isinstance(record, (GoneImage, UnreadableItem)):
            raise NotFoundError(f"there is no photo {image}")
        if isinstance(record, RejectedImage):
            raise ImageRejected(record.reason, record.detail)
        return record.observation.etag

    def fetch(self, image: ImageRef) -> FetchedImage:
        """Return the photo of a record as it is now.

        Raises:
            ImageRejected: it may not be read, or is not there any more.
        """
        fetched = self.images.fetch(image, None, MAX_IMAGE_BYTES)
        if not isinstance(fetched, FetchedImage):
            raise ImageRejected(RejectReason.MISSING, f"there is no photo {image}")
        return fetched
