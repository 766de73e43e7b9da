"""The console of the loader's commands: output for a person on a terminal or elsewhere, or for a program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
UP = "\x1b[{}F\x1b[J"  # to a terminal: so many lines up, and remove all from there on


@dataclass
class Console:
    """Says reports on one stream, as lines or as one document, and hints on another, to a person only.

    ``columns`` says how wide the terminal is that the reports go to; None where they go to none.
    """

    as_json: bool
    out: Callable[[str], object]
    err: Callable[[str], object]
    columns: Callable[[], int | None] = lambda: None
    _shown: int = 0

    def report(self, document: Document, lines: Iterable[str]) -> None:
        """Say the report."""
        self.out(json.dumps(document, indent=1, ensure_ascii=False) if self.as_json else "\n".join(lines))

    def renew(self, document: Document, lines: Iterable[str]) -> None:
        """Say the report in the place of the one before: on a terminal above it, else below, a document in a line."""
        if self.as_json:
            self.out(json.dumps(document, ensure_ascii=False))
            return
        width = self.columns()
        shown = [line if width is None else line[: width - 1] for line in lines]
        before = UP.format(self._shown) if width and self._shown else "\n" if self._shown else ""
        self.out(before + "\n".join(shown))
        self._shown = len(shown)

    def hint(self, line: str) -> None:
        """Say what is no part of the report."""
        if not self.as_json:
            self.err(line)
