"""Ids of keywords in the product taxonomies of Google and Shopify (DECISIONS.md, 119)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.keywords import Vocabulary

REVIEWED_PATH = Path(__file__).with_name("same_as.csv")
OWN_NAME = "same_as.csv"  # in the folder of everything kept on this machine, over the reviewed file
KEYWORD_COLUMN = "id"
NONE = "-"  # neither the keyword nor what is below it has a category, whatever a parent has


class Standard(StrEnum):
    """A product taxonomy that shops and marketplaces share."""

    GOOGLE = "google"
    SHOPIFY = "shopify"


ID_FORMS = {
    Standard.GOOGLE: re.compile(r"[1-9][0-9]*"),
    Standard.SHOPIFY: re.compile(r"[a-z]{2}(-[0-9]+)*"),
}


@dataclass(frozen=True, slots=True)
class StandardIds:
    """The category of a keyword in each taxonomy; a keyword without one has that of what is above it."""

    by_keyword: Mapping[str, Mapping[Standard, str]]

    @classmethod
    def load(cls, own: Path | None = None) -> StandardIds:
        """Return the reviewed ids, and over them those of a shop's own file, which need not exist.

        Raises:
            CallerError: a row names no keyword, or an id has not the form of its taxonomy; the message names the cell.
        """
        by_keyword: dict[str, dict[Standard, str]] = {}
        for path in (REVIEWED_PATH, own):
            if path is not None and path.is_file():
                for keyword_id, ids in _read(path):
                    by_keyword.setdefault(keyword_id, {}).update(ids)
        return cls(by_keyword)

    def of(self, keyword_id: str, standard: Standard, vocabulary: Vocabulary) -> str | None:
        """Return the id of the narrowest known category that holds everything the keyword names."""
        line = (keyword_id, *vocabulary.ancestors(keyword_id)) if keyword_id in vocabulary.nodes else (keyword_id,)
        for node_id in line:
            category = self.by_keyword.get(node_id, {}).get(standard)
            if category:
                return None if category == NONE else category
        return None


def _read(path: Path) -> Iterator[tuple[str, dict[Standard, str]]]:
    for row in rows(path, (KEYWORD_COLUMN,), allowed=(KEYWORD_COLUMN, *Standard)):
        if not row[KEYWORD_COLUMN]:
            raise row.mistake(KEYWORD_COLUMN, "is empty")
        ids = {standard: row[standard] for standard in Standard if row[standard]}
        for standard, category in ids.items():
            if category != NONE and not ID_FORMS[standard].fullmatch(category):
                raise row.mistake(standard, f"{category!r} is not an id of {standard.capitalize()}'s taxonomy")
        yield row[KEYWORD_COLUMN], ids
