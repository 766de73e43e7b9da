"""What a shop says of a product is kept as it wrote it, within limits, and never becomes a script."""

from __future__ import annotations

import pytest

from pipeline.errors import CallerError
from pipeline.listing import Listing


def test_fields_are_kept_as_they_are_without_space_around_them_and_others_are_left_out() -> None:
    listing = Listing.parse({"title": " Läufer 7 ", "price": "12,90 €", "colour": "red"})

    assert listing == Listing(title="Läufer 7", price="12,90 €")
    assert listing.document() == {"title": "Läufer 7", "price": "12,90 €"}
    assert Listing.parse(listing.document()) == listing


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"title": "x" * 501}, "the title has 501 characters; the limit is 500"),
        ({"url": "javascript:alert(1)"}, "is no link; it must begin with https:// or http://"),
        ({"url": "/shoes/7"}, "is no link"),
    ],
)
def test_what_is_too_long_or_no_link_is_refused_in_one_line(fields: dict[str, str], mistake: str) -> None:
    with pytest.raises(CallerError, match=mistake):
        Listing.parse(fields)
