"""Addresses at which a browser reaches a photo directly in its bucket, for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class UploadForm:
    """An upload form: S3 accepts exactly these fields, followed by the file as the last field."""

    url: str
    fields: Mapping[str, str]
