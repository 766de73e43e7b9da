"""Finding: what a listing and a manifest name, what is skipped, and where to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog_loader.candidates import Candidate, CandidateCounts, list_candidates, skip_past
from pipeline.errors import CallerError
from pipeline.images import BucketPrefix, ImageRef
from pipeline.not_pictures import NOT_PICTURES, skip_reason

if TYPE_CHECKING:
    from tests.catalog_loader.conftest import Twins


def shop(key: str) -> ImageRef:
    """Return an image of the one shop there is."""
    return ImageRef("shop", key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("shoes/", "folder"),
        ("shoes.jpg/", "folder"),
        ("readme.txt", ".txt"),
        ("EXPORT.CSV", ".csv"),
        ("film.mp4", ".mp4"),
        ("page.html", ".html"),
        ("sheet.pdf", ".pdf"),
        ("a.jpg.json", ".json"),
        ("photos/.DS_Store", "system file"),
        ("photos/._front.jpg", "system file"),
    ],
)
def test_what_is_clearly_no_picture_is_skipped_and_why(key: str, reason: str) -> None:
    assert skip_reason(key) == reason


@pytest.mark.parametrize(
    "key", ["a.jpg", "a.JPEG", "a.heic", "a.svg", "a.psd", "a", "a.", "a.bin", "a.4711", "txt", "a.txt/b", ".txt"]
)
def test_what_may_be_a_picture_is_sent_whatever_its_ending(key: str) -> None:
    assert skip_reason(key) is None


def test_no_picture_has_an_ending_that_is_skipped() -> None:
    pictures = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".svg", ".jfif"}

    assert not pictures & NOT_PICTURES
    assert all(ending.startswith(".") and ending == ending.lower() for ending in NOT_PICTURES)


def test_what_is_found_is_counted_and_what_is_skipped_by_its_reason() -> None:
    found = CandidateCounts()

    wanted = list(found.pictures(Candidate(shop(key)) for key in ("a/", "a.jpg", "b.txt", "c.txt", "d")))

    assert [one.image.key for one in wanted] == ["a.jpg", "d"]
    assert (found.count, found.skipped) == (5, 3)
    assert list(found.by_reason().items()) == [(".txt", 2), ("folder", 1)]


def test_an_empty_and_a_huge_object_are_found_since_their_owner_wants_to_know(twins: Twins) -> None:
    twins.put("empty.jpg", data=b"")
    twins.put("huge.jpg", data=b"x" * 21_000_000)

    found = list(CandidateCounts().pictures(list_candidates(twins.images, BucketPrefix("shop"))))

    assert [(one.image.key, one.listed.size_bytes) for one in found] == [("empty.jpg", 0), ("huge.jpg", 21_000_000)]


@pytest.mark.parametrize("start_after", ["b.jpg", "s3://shop/b.jpg"])
def test_a_listing_goes_on_behind_a_key(twins: Twins, start_after: str) -> None:
    twins.put("a.jpg", "b.jpg", "c.jpg")

    found = list_candidates(twins.images, BucketPrefix("shop"), start_after)

    assert [one.image.key for one in found] == ["c.jpg"]


def test_a_manifest_goes_on_behind_an_image() -> None:
    rows = [Candidate(shop(key)) for key in ("c", "a", "b")]

    assert list(skip_past("", rows)) == rows
    assert list(skip_past("s3://shop/a", rows)) == rows[2:]
    assert list(skip_past("s3://shop/b", rows)) == []


def test_to_go_on_behind_what_a_manifest_does_not_name_is_the_callers_mistake() -> None:
    with pytest.raises(CallerError, match="the manifest does not name s3://shop/z, after which to start"):
        list(skip_past("s3://shop/z", [Candidate(shop("a"))]))
