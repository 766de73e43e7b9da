"""What an export holds of images, for comparison with the bucket and the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.images import ImageRef


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """The observation by which an image stands in an export."""

    image: ImageRef
    observed_at: datetime
    etag: str | None
