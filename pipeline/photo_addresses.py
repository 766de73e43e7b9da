"""Addresses by which a browser reaches a photo in its bucket itself, for some minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that S3 takes as it is, with the file as its last field, and in no other form."""

    url: str
    fields: Mapping[str, str]
