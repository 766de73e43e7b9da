"""What may be shown on a terminal: names of files and keys are the sender's text."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text without what could move a cursor, colour a line or break it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
