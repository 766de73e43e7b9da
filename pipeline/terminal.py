"""Safe output to a terminal: file names and keys are untrusted text."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with replacements for characters that could move a cursor, colour a line or break it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
