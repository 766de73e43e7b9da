"""Messages: "reconcile this image now", as the loader writes them and as S3 sends them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from pipeline.errors import BadMessage, CallerError
from pipeline.images import MAX_PRODUCT_BYTES, ImageRef
from pipeline.listing import Listing

KIND = "tag_image"
MAX_BODY_BYTES = 1_048_576  # the largest message Amazon SQS permits, since August 2025
UPLOAD_RUN = "upload"  # the run id of images that arrive by an S3 event
S3_SOURCE = "aws.s3"  # what Amazon EventBridge calls S3
SNS_TYPE = "Notification"  # in the envelope that Amazon SNS wraps around a topic's messages


@dataclass(frozen=True, slots=True)
class TagImage:
    """Reconcile this image now. The message does not say what happened: the object is read in its current state.

    Attributes:
        image: the image's name.
        run_id: the pass of the loader that sends it, or ``UPLOAD_RUN``.
        product: the product of the photo, if known.
        again: whether to read a rejected object once more although it has not changed.
        listing: what the shop says of the product, if known; it replaces all that was said before.
    """

    image: ImageRef
    run_id: str = UPLOAD_RUN
    product: str | None = None
    again: bool = False
    listing: Listing | None = None

    def encode(self) -> str:
        """Return the message's body: compact JSON in ASCII, since SQS refuses some characters that keys may have."""
        body: dict[str, str | bool | dict[str, str]] = {
            "kind": KIND,
            "bucket": self.image.bucket,
            "key": self.image.key,
            "run_id": self.run_id,
        }
        if self.product is not None:
            body["product"] = self.product
        if self.again:
            body["again"] = True
        if self.listing is not None:
            body["listing"] = self.listing.document()
        return json.dumps(body, separators=(",", ":"))


def decode(body: str) -> tuple[TagImage, ...]:
    """Return the messages in a body: one image from the loader, one or more from S3, none from S3's test event.

    S3 sends notifications of its own, or events through Amazon EventBridge. Either may arrive through a topic of
    Amazon SNS, unwrapped (raw delivery) or in the topic's envelope.

    Raises:
        BadMessage: the body is none of these.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BadMessage(f"the message has {len(body):,} characters; the limit is {MAX_BODY_BYTES:,}")
    parsed = _parse(body)
    if parsed.get("Type") == SNS_TYPE:
        parsed = _parse(_text(parsed, "Message"))
    try:
        return _decode_object(parsed)
    except CallerError as error:
        raise BadMessage(str(error)) from error


def _parse(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"the message is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadMessage(f"the message is a JSON {type(parsed).__name__}, not an object")
    return parsed


def _decode_object(body: dict[str, Any]) -> tuple[TagImage, ...]:
    if body.get("kind") == KIND:
        return (_decode_ours(body),)
    if body.get("Event") == "s3:TestEvent":
        return ()
    if isinstance(body.get("Records"), list):
        return tuple(_decode_s3(record) for record in body["Records"])
    if body.get("source") == S3_SOURCE:
        return (_decode_eventbridge(body.get("detail")),)
    raise BadMessage(f"the message is neither ours (kind: {KIND}) nor an S3 event (Records, or source: {S3_SOURCE})")


def _decode_ours(body: dict[str, Any]) -> TagImage:
    product = None if body.get("product") is None else _text(body, "product")
    return TagImage(
        image=ImageRef(_bucket(body, "bucket"), _text(body, "key")),
        run_id=_text(body, "run_id"),
        product=None if product is None else checked_product(product),
        again=_flag(body, "again"),
        listing=_listing(body.get("listing")),
    )


def _listing(fields: object) -> Listing | None:
    if fields is None:
        return None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise BadMessage("the message's 'listing' must be an object of texts")
    return Listing.parse(fields)


def _decode_s3(record: object) -> TagImage:
    try:
        event = cast("dict[str, Any]", record)["s3"]
        return TagImage(ImageRef.from_event(_bucket(event["bucket"], "name"), _text(event["object"], "key")))
    except (KeyError, TypeError) as error:
        raise BadMessage(f"an S3 event's record lacks {error}") from error


def _decode_eventbridge(detail: object) -> TagImage:
    """Return the message of an Amazon EventBridge event, in which S3 does not encode the key."""
    try:
        event = cast("dict[str, Any]", detail)
        return TagImage(ImageRef(_bucket(event["bucket"], "name"), _text(event["object"], "key")))
    except (KeyError, TypeError) as error:
        raise BadMessage(f"an S3 event's detail lacks {error}") from error


def _bucket(body: object, name: str) -> str:
    bucket = _text(body, name)
    if "/" in bucket:  # ImageRef would quote it, and a dead letter's error holds no untrusted text
        raise BadMessage(f"the message's {name!r} is not the name of a bucket")
    return bucket


def _text(body: object, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        actual = "an empty one" if value == "" else f"a JSON {type(value).__name__}"
        raise BadMessage(f"the message's {name!r} must be a non-empty string, not {actual}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadMessage(f"the message's {name!r} is not valid Unicode: {error.reason}") from error
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadMessage(f"the message's {name!r} must be true or false, not a JSON {type(value).__name__}")
    return value


def checked_product(product: str) -> str:
    """Return the product's id as given.

    Raises:
        CallerError: it is empty or longer than an index key may be.
    """
    size_bytes = len(product.encode())
    if not 0 < size_bytes <= MAX_PRODUCT_BYTES:
        raise CallerError(f"a product's id has 1 to {MAX_PRODUCT_BYTES:,} bytes; this one has {size_bytes:,}")
    return product
