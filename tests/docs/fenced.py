"""The fenced blocks of the documents: what a reader would type, and what is only shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^```(?P<language>\w*)$")
HEADING = re.compile(r"^#+ (?P<text>.+)$")
OURS = ("catalog-tagger", "make", "aws", ".venv/bin/", "$ ")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its document, the heading above it, the number of its first line, its language and its text."""

    document: str
    heading: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def typed(self) -> str:
        """What a reader types: in a console's transcript the lines behind a ``$``, else all of it."""
        if self.language != "console":
            return self.text
        return "".join(line.removeprefix("$ ") for line in self.text.splitlines(keepends=True) if line.startswith("$ "))

    def without(self, passed_over: tuple[str, ...]) -> str:
        """Return what is typed, without the lines that begin with the words of one of these."""
        words = re.compile(rf"(?:{'|'.join(map(re.escape, passed_over))})(?![\w-])")
        return "".join(line for line in self.typed.splitlines(keepends=True) if not words.match(line))


def documents() -> list[Path]:
    """Return the documents whose commands are run."""
    return [ROOT / "README.md", ROOT / "RUNBOOK.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a document, in order."""
    found: list[Block] = []
    heading, language, begun, inside = "", "", 0, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if inside is None and fence:
            language, begun, inside = fence["language"], number + 1, []
        elif inside is not None and line == "```":
            text = "".join(f"{each}\n" for each in inside)
            found.append(Block(path.relative_to(ROOT).as_posix(), heading, begun, language, text))
            inside = None
        elif inside is not None:
            inside.append(line)
        elif title := HEADING.match(line):
            heading = title["text"]
    return found


def all_blocks() -> list[Block]:
    """Return the fenced blocks of all documents."""
    return [block for path in documents() for block in blocks_of(path)]


def targets() -> set[str]:
    """Return what `make help` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^([a-z][a-z-]*):.*## ", makefile))
