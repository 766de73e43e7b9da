"""Comparing: how an image that was found stands in the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from catalog_loader.candidates import Candidate, list_candidates
from catalog_loader.compare import ComparedImage, Standing, Versions, compared
from pipeline.images import BucketPrefix, ImageRef
from pipeline.reject_reasons import RejectReason

if TYPE_CHECKING:
    from tests.catalog_loader.conftest import Twins

NO_VERSIONS = Versions()


def standings(twins: Twins, versions: Versions = NO_VERSIONS) -> dict[str, Standing]:
    """Return how each photo of the bucket stands."""
    found = list_candidates(twins.images, BucketPrefix("shop"))
    return {image.candidate.image.key: image.standing for image in compared(found, twins.table, versions)}


def test_a_photo_without_a_record_is_missing_and_so_is_one_with_a_tombstone(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.bury("b.jpg")

    assert standings(twins) == {"a.jpg": Standing.MISSING, "b.jpg": Standing.MISSING}


def test_a_photo_that_was_recorded_as_it_is_stands_as_it_was_recorded(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.reject("b.jpg")

    assert standings(twins) == {"a.jpg": Standing.TAGGED, "b.jpg": Standing.REJECTED}


def test_a_photo_that_was_replaced_since_is_stale(twins: Twins, later: datetime) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.reject("b.jpg")
    twins.put("a.jpg", "b.jpg", data=b"another", at=later)

    assert set(standings(twins).values()) == {Standing.STALE}


def test_a_photo_that_was_replaced_within_the_second_is_stale(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")
    twins.put("a.jpg", data=b"another")

    assert standings(twins) == {"a.jpg": Standing.STALE}


def test_a_record_of_a_later_photo_than_the_one_that_was_listed_is_not_stale(twins: Twins, later: datetime) -> None:
    twins.put("a.jpg")
    listed = list(list_candidates(twins.images, BucketPrefix("shop")))
    twins.put("a.jpg", data=b"another", at=later)
    twins.tag("a.jpg")

    [image] = compared(listed, twins.table, NO_VERSIONS)

    assert image.standing is Standing.TAGGED


def test_a_photo_refused_unread_is_stale_once_it_was_replaced(twins: Twins, later: datetime) -> None:
    twins.put("huge.jpg")
    twins.reject("huge.jpg", reason=RejectReason.BYTES, etag=None, object_time=None)
    assert standings(twins) == {"huge.jpg": Standing.REJECTED}

    twins.put("huge.jpg", data=b"smaller", at=later)
    assert standings(twins) == {"huge.jpg": Standing.STALE}


@pytest.mark.parametrize(
    ("versions", "standing"),
    [
        (Versions(), Standing.TAGGED),
        (Versions("model-1", "taxonomy-1"), Standing.TAGGED),
        (Versions(model="model-2"), Standing.STALE),
        (Versions(taxonomy="taxonomy-2"), Standing.STALE),
    ],
)
def test_what_another_model_or_taxonomy_tagged_is_stale(twins: Twins, versions: Versions, standing: Standing) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")

    assert standings(twins, versions) == {"a.jpg": standing}


def test_what_was_rejected_is_so_whatever_the_model(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.reject("a.jpg")

    assert standings(twins, Versions("model-2", "taxonomy-2")) == {"a.jpg": Standing.REJECTED}


def test_a_manifest_that_names_another_product_makes_a_photo_stale(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg", "c.jpg")
    twins.tag("a.jpg", "b.jpg", "c.jpg", product="boot")
    rows = [
        Candidate(ImageRef("shop", "a.jpg"), product="boot"),
        Candidate(ImageRef("shop", "b.jpg"), product="shoe"),
        Candidate(ImageRef("shop", "c.jpg")),
    ]

    assert [image.standing for image in compared(rows, twins.table, NO_VERSIONS)] == [
        Standing.TAGGED,
        Standing.STALE,
        Standing.TAGGED,
    ]


def test_the_table_is_read_by_the_hundred_and_the_order_is_kept(twins: Twins) -> None:
    keys = [f"{at:03}.jpg" for at in range(250)]
    twins.put(*keys)
    twins.tag(*keys[::2])
    reads = twins.table.reads

    found = list(compared(list_candidates(twins.images, BucketPrefix("shop")), twins.table, NO_VERSIONS))

    assert [image.candidate.image.key for image in found] == keys
    assert sum(image.standing is Standing.TAGGED for image in found) == 125
    assert twins.table.reads - reads == 3


def test_what_was_rejected_is_known_even_when_it_is_stale(twins: Twins, later: datetime) -> None:
    twins.put("a.jpg")
    twins.reject("a.jpg")
    twins.put("a.jpg", data=b"another", at=later + timedelta(days=1))

    [image] = compared(list_candidates(twins.images, BucketPrefix("shop")), twins.table, NO_VERSIONS)

    assert (image.standing, image.was_rejected) == (Standing.STALE, True)
    assert isinstance(image, ComparedImage)
