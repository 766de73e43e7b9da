"""Watchers: connections that wait for the result of an upload, and the tickets that allow it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.images import ImageRef

UPLOADS_PREFIX = "uploads/"  # the keys of uploads begin with it, and no others
WATCH_HOURS = 2  # chosen by us: as long as Amazon API Gateway keeps a connection


@dataclass(frozen=True, slots=True)
class Ticket:
    """A secret that lets an uploader watch one image until it expires."""

    secret: str
    image: ImageRef
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A connection that waits for an image, and the language that its person reads."""

    connection: str
    language: str


def digest_of(secret: str) -> str:
    """Return what is stored of a secret, so that a reader of the table learns no ticket (DECISIONS.md, 22)."""
    # Anybody may send anything; a lone surrogate is a wrong secret like any other.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
