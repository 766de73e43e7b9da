"""Cursors: where the next page of a search begins, and in which export state."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from results_sink.search.search import SearchRequest

MAX_CHARACTERS = 2_000  # of a cursor: six times the length of ours
MAX_OFFSET = 1_000_000_000  # results before a page, chosen by us: more than any catalogue has
_SNAPSHOT = re.compile(r"[0-9][0-9A-Za-z.-]{0,99}", re.ASCII)  # the form of an export's snapshot: a time and an id
_NONE = "the cursor is none of this API's; leave it out to begin with the first page"


@dataclass(frozen=True, slots=True)
class ExportState:
    """What a search reads: a snapshot, and the name of the last delta over it, empty for none."""

    snapshot: str
    last_delta: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next page of one search: its export state, and how many results came before."""

    state: ExportState
    offset: int
    search: str  # a digest of the request

    @classmethod
    def after(cls, request: SearchRequest, state: ExportState, vocabulary_version: str) -> Cursor:
        """Return the cursor of the page after this request's, under that vocabulary."""
        return cls(state, request.offset + request.limit, _digest(request, vocabulary_version))

    def encode(self) -> str:
        """Return the cursor as URL-safe text."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self), separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, request: SearchRequest, vocabulary_version: str) -> Cursor:
        """Return the cursor that ``encode`` wrote for the same search and vocabulary.

        Raises:
            CallerError: it is no cursor, or belongs to another search.
        """
        try:
            body = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            cursor = cls(
                ExportState(body["state"]["snapshot"], body["state"]["last_delta"]), body["offset"], body["search"]
            )
        except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
            raise CallerError(_NONE) from error
        if not cursor._is_sound:
            raise CallerError(_NONE)
        if cursor.search != _digest(request, vocabulary_version):
            raise CallerError("the cursor is of another search; leave it out to begin with the first page")
        return cursor

    @property
    def _is_sound(self) -> bool:
        """Whether each part is in range: the text may be anybody's."""
        texts = (self.state.snapshot, self.state.last_delta, self.search)
        return (
            all(type(text) is str for text in texts)
            and _SNAPSHOT.fullmatch(self.state.snapshot) is not None
            and type(self.offset) is int
            and 0 <= self.offset <= MAX_OFFSET
        )


def _digest(request: SearchRequest, vocabulary_version: str) -> str:
    parts = [request.query, request.per_product, request.least, request.language, vocabulary_version]
    parts += [request.sort, *astuple(request.filters)]
    return hashlib.sha256(json.dumps(parts, default=str).encode("utf-8", "surrogatepass")).hexdigest()[:16]
