"""Output to a terminal: file names and keys are untrusted text, and lines end at its edge."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

GAP = "  "  # between columns, and before indented lines


def printable(text: str) -> str:
    """Return the text with replacements for characters that could move a cursor, colour a line or break it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def columns() -> int | None:
    """Return the width of the terminal in characters, or None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cut(line: str, width: int | None) -> str:
    """Return the line, no longer than the width, if there is one."""
    return line if width is None or len(line) <= width else line[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"


def cut_lines(lines: Iterable[str], width: int | None) -> str:
    """Return the lines as one text, none longer than the width, if there is one."""
    return "\n".join(cut(line, width) for line in lines)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows below their heads, each column as wide as its widest cell."""
    lines = [tuple(heads), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        GAP.join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def warn(line: str) -> None:
    """Tell a person something that is no part of a command's answer."""
    sys.stderr.write(f"{line}\n")
