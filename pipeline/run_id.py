"""Run ids: the name of one pass over the catalogue, which sorts by time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime

from pipeline.errors import CallerError
from pipeline.messages import UPLOAD_RUN

RANDOM_BYTES = 3  # chosen by us: of runs begun in the same second, one in 16 million pairs would share a name
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # chosen by us: safe in a file's name, an address and a query


def new_run_id(began_at: datetime, random: Callable[[int], str] = secrets.token_hex) -> str:
    """Return a new id: the time in UTC, to the second, and a few random digits."""
    return f"{began_at:%Y%m%dT%H%M%SZ}-{random(RANDOM_BYTES)}"


def checked_run_id(run_id: str) -> str:
    """Return the id as given.

    Raises:
        CallerError: it has other characters, is longer than 64, or is the id of uploads.
    """
    if not _FORM.fullmatch(run_id) or run_id == UPLOAD_RUN:
        raise CallerError(f"{run_id!r} is not the id of a run: 1 to 64 of A-Z a-z 0-9 . _ - and not {UPLOAD_RUN!r}")
    return run_id
