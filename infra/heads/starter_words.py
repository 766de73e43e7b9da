"""The words of the starter head: which label of which data set stands for which keyword."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.csv_rows import rows

WORDS = Path(__file__).with_name("words.csv")


@dataclass(frozen=True, slots=True)
class StarterWord:
    """A label of a data set, and the id of its keyword."""

    data_set: str
    label: str
    keyword_id: str


def starter_words() -> tuple[StarterWord, ...]:
    """Return the words in the order of the file."""
    return tuple(
        StarterWord(row["set"], row["label"], row["keyword"]) for row in rows(WORDS, ("set", "label", "keyword"))
    )
