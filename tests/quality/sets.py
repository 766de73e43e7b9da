"""The labelled photos on which quality is measured; a set whose photos are not on this machine is left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.csv_rows import rows
from pipeline.settings import home
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.evaluate.labels import LabelledFile, labels_in

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "data"


@dataclass(frozen=True)
class LabelledSet:
    """Photos of one kind."""

    name: str
    files: tuple[LabelledFile, ...]


def sets(vocabulary) -> list[LabelledSet]:
    """Return the sets that are here."""
    found = []
    if (home() / "sample-catalogue").is_dir():
        labels = labels_in(HERE / "sample_catalogue.csv", home() / "sample-catalogue", vocabulary)
        found.append(LabelledSet("sample catalogue", labels))
    if (SHARED / "clothing" / "validation").is_dir():
        found.append(LabelledSet("clothing", clothing("validation", vocabulary)))
    return found


def clothing(split: str, vocabulary) -> tuple[LabelledFile, ...]:
    """Return the photos of one split, each with what its folder's name means in our words."""
    found = []
    for row in rows(HERE / "clothing.csv", ("label", "expected", "acceptable")):
        expected, acceptable = (
            frozenset(keyword_named(word, vocabulary) for word in row.several(column))
            for column in ("expected", "acceptable")
        )
        photos = sorted((SHARED / "clothing" / split / row["label"]).iterdir())
        found += [LabelledFile.of(photo, expected, acceptable, vocabulary) for photo in photos]
    return tuple(found)
