"""Cursors: where the next page of a search begins, and what it must be read from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from results_sink.search import Asked

MAX_CHARACTERS = 2_000  # of a cursor: six times what one of ours has


@dataclass(frozen=True, slots=True)
class Place:
    """What a search is answered from: a snapshot, and the name of the last delta laid over it, empty for none."""

    snapshot: str
    last_delta: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next page of one search: where it is read from, and how many results came before."""

    place: Place
    offset: int
    search: str  # a digest of what was asked

    @classmethod
    def after(cls, asked: Asked, place: Place) -> Cursor:
        """Return the cursor of the page after the one that was asked for."""
        return cls(place, asked.offset + asked.limit, _digest(asked))

    def encode(self) -> str:
        """Return the cursor as a text that can stand in an address."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self), separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, asked: Asked) -> Cursor:
        """Return the cursor that ``encode`` made of the same search.

        Raises:
            CallerError: it is none, or one of another search.
        """
        try:
            body = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            place = Place(str(body["place"]["snapshot"]), str(body["place"]["last_delta"]))
            cursor = cls(place, int(body["offset"]), str(body["search"]))
        except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
            raise CallerError("the cursor is none of this API's; leave it out to begin with the first page") from error
        if cursor.search != _digest(asked) or cursor.offset < 0:
            raise CallerError("the cursor is of another search; leave it out to begin with the first page")
        return cursor


def _digest(asked: Asked) -> str:
    said = json.dumps([asked.query, asked.per_product, asked.least])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]
