"""The words of the starter head: which label of which data set stands for which keyword."""

from __future__ import annotations

from pathlib import Path

from pipeline.csv_rows import rows

WORDS = Path(__file__).with_name("words.csv")


def starter_words() -> dict[tuple[str, str], str]:
    """Return the id of the keyword that a label of a data set stands for, by both, in the order of the file."""
    return {(row["set"], row["label"]): row["keyword"] for row in rows(WORDS, ("set", "label", "keyword"))}
