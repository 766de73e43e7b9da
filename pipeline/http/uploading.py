"""Pydantic models of the request that announces an upload, and of its answer."""

from pydantic import Field

from pipeline.http.models import AnswerModel, RequestModel
from pipeline.images import MAX_IMAGE_BYTES, MAX_PRODUCT_BYTES

TYPES = {  # the media types that are read, and the suffix of the key for each
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/avif": ".avif",
}
MAX_NAME_CHARACTERS = 1024  # of the name as it is sent; no file system has longer ones
MAX_TYPE_CHARACTERS = 255  # of a media type, as RFC 6838 limits each of its halves to 127


class AnnouncedPhoto(RequestModel):
    """A photo that somebody is about to upload."""

    name: str = Field(
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description="The name of the file; letters and digits of it are kept in the key.",
        examples=["running shoe.jpg"],
    )
    type: str = Field(
        min_length=1,
        max_length=MAX_TYPE_CHARACTERS,
        description=f"The media type: {', '.join(TYPES)}.",
        examples=["image/jpeg"],
    )
    size: int = Field(
        ge=0, strict=True, description=f"The size in bytes; the limit is {MAX_IMAGE_BYTES:,}.", examples=[48_213]
    )


class AnnouncedUpload(AnnouncedPhoto):
    """A photo that somebody is about to upload, perhaps as one more of a product."""

    product: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PRODUCT_BYTES,
        description="Whose photo it is; else the photo is a product of its own.",
        examples=["sku-4711"],
    )


class RemovedPhoto(AnswerModel):
    """A photo that is no longer in the bucket; its keywords follow within seconds."""

    image: str


class UploadTicket(AnswerModel):
    """Where to send the photo, and the ticket to watch it with.

    Send ``fields`` and then the file, named ``file``, to ``url`` as multipart/form-data.
    """

    image: str = Field(description="s3://bucket/key: the photo's name from now on.")
    ticket: str = Field(description="A secret for the WebSocket: whoever has it receives the result.")
    expires_at: str = Field(description="When the form and the ticket expire.")
    seconds: int = Field(description="The same as seconds from now, for callers whose clock is wrong.")
    url: str
    fields: dict[str, str]
