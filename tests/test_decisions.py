"""DECISIONS.md: short entries, each linked from the code that depends on it, and naming that code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("pipeline", "catalog_loader", "tagging_lambda", "results_sink", "infra", "tests")
LINES = 5  # of each entry
LINK = re.compile(r"DECISIONS\.md, (\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision."""

    number: int
    lines: tuple[str, ...]

    @property
    def named(self) -> list[str]:
        """The files that its last line names."""
        return [path for path in re.findall(r"`([^`]+)`", self.lines[-1]) if (ROOT / path).exists() or "/" in path]


def entries() -> list[Entry]:
    """Return all entries, in the file's order."""
    parts = re.split(r"(?m)^## (\d+)\. .*\n", (ROOT / "DECISIONS.md").read_text(encoding="utf-8"))[1:]
    found = zip(parts[::2], parts[1::2], strict=True)
    return [Entry(int(number), tuple(line for line in text.splitlines() if line)) for number, text in found]


@cache
def links() -> dict[int, list[str]]:
    """Return the files that link each entry."""
    found: dict[int, list[str]] = {}
    for room in ROOMS:
        for path in [path for ending in ("py", "yaml", "js") for path in (ROOT / room).rglob(f"*.{ending}")]:
            for number in LINK.findall(path.read_text(encoding="utf-8")):
                found.setdefault(int(number), []).append(path.relative_to(ROOT).as_posix())
    return found


every_entry = pytest.mark.parametrize("entry", entries(), ids=lambda entry: str(entry.number))


def test_each_number_stands_once_and_in_order() -> None:
    numbers = [entry.number for entry in entries()]

    assert numbers == sorted(set(numbers))


def test_no_link_leads_nowhere() -> None:
    assert set(links()) <= {entry.number for entry in entries()}


@every_entry
def test_an_entry_is_short(entry: Entry) -> None:
    assert len(entry.lines) <= LINES


@every_entry
def test_an_entry_is_linked_from_code_that_it_names(entry: Entry) -> None:
    assert entry.named
    assert all((ROOT / path).exists() for path in entry.named)
    assert [path for path in links().get(entry.number, []) if any(path.startswith(named) for named in entry.named)]
