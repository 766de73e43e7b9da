"""Listings: what a shop itself says of a product, beside its photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from pipeline.errors import CallerError

# Characters, chosen by us: longer than the longest titles that shops' own channels take (150), than any sane URL,
# and than the tags of all but a few products.
LIMITS = {"title": 500, "brand": 100, "price": 50, "url": 2_000, "tags": 2_000}
FIELDS = tuple(LIMITS)
LINKS = ("https://", "http://")


# On each image's record: a table of products would be a second thing to keep (DECISIONS.md, 117).
@dataclass(frozen=True, slots=True)
class Listing:
    """What the shop says of a product, each as it wrote it; empty where it says nothing."""

    title: str = ""
    brand: str = ""
    price: str = ""
    url: str = ""
    tags: str = ""

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Self:
        """Return the listing of these fields; others are left out, and so is white space at the ends.

        Raises:
            CallerError: a field is too long, or the URL is no link.
        """
        values = {name: fields.get(name, "").strip() for name in FIELDS}
        for name, limit in LIMITS.items():
            if len(values[name]) > limit:
                raise CallerError(f"the {name} has {len(values[name]):,} characters; the limit is {limit:,}")
        # The page makes a link of it, and what begins otherwise may be a script.
        if values["url"] and not values["url"].lower().startswith(LINKS):
            raise CallerError(f"the url {values['url']!r} is no link; it must begin with https:// or http://")
        return cls(**values)

    def document(self) -> dict[str, str]:
        """Return the fields that say anything."""
        return {name: value for name, value in asdict(self).items() if value}
