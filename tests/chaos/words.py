"""The taxonomy as this suite reads it, without the product's code: what a class must be called, what a word finds."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TAXONOMY = Path(__file__).parents[2] / "pipeline" / "taxonomy.csv"
BETWEEN = "|"  # the parents of a row, and its names


@dataclass(frozen=True)
class Words:
    """The keywords that are shown, by id: their first names in English, and which keywords are above them."""

    names: dict[str, str]
    parents: dict[str, tuple[str, ...]]

    def line(self, keyword_id: str) -> tuple[str, ...]:
        """Return the keyword and all above it that are shown."""
        line, rest = [], [keyword_id]
        while rest:
            node = rest.pop(0)
            if node not in line:
                line.append(node)
                rest += self.parents[node]
        return tuple(node for node in line if node in self.names)

    def leaves(self, count: int) -> list[str]:
        """Return the first so many keywords with none below them, by id."""
        above = {parent for parents in self.parents.values() for parent in parents}
        return sorted(self.names.keys() - above)[:count]

    def below(self, keyword_id: str) -> set[str]:
        """Return the keyword and all below it: what a search for its name finds."""
        return {node for node in self.names if keyword_id in self.line(node)}


@cache
def read_words() -> Words:
    """Read the taxonomy's file."""
    with TAXONOMY.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Words(
        {row["id"]: row["en"].split(BETWEEN)[0] for row in rows if row["use"] == "keyword"},
        {row["id"]: tuple(filter(None, row["parents"].split(BETWEEN))) for row in rows},
    )
