"""Why images are rejected."""

from __future__ import annotations

from enum import StrEnum


class RejectReason(StrEnum):
    """Why an image can never be tagged as it is. A closed list: nothing outside it is ever recorded."""

    EMPTY = "empty"
    BYTES = "bytes"
    PIXELS = "pixels"
    TOO_SMALL = "too_small"
    FORMAT = "format"
    NOT_IMAGE = "not_image"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    MISSING = "missing"
    DENIED = "denied"
