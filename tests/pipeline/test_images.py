"""Names of images: what is one, and what is the caller's mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallerError
from pipeline.images import BucketPrefix, ImageRef, product_metadata, product_of_metadata


def test_an_image_is_written_as_it_is_parsed() -> None:
    image = ImageRef.parse("s3://shop/shoes/a b+%20ü.jpg")

    assert (image.bucket, image.key) == ("shop", "shoes/a b+%20ü.jpg")
    assert str(image) == "s3://shop/shoes/a b+%20ü.jpg"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_every_key_survives_being_written_and_parsed(key: str) -> None:
    image = ImageRef("shop", key)

    assert ImageRef.parse(str(image)) == image


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("", "is not a place in S3"),
        ("shop/a.jpg", "is not a place in S3"),
        ("https://shop/a.jpg", "is not a place in S3"),
        ("S3://shop/a.jpg", "is not a place in S3"),
        (" s3://shop/a.jpg", "is not a place in S3"),
        ("s3://", "is not a place in S3"),
        ("s3:///a.jpg", "is not a place in S3"),
        ("s3://shop", "names a bucket, not an image"),
        ("s3://shop/", "names a bucket, not an image"),
        ("s3://shop/" + "k" * 1025, "a key has 1 to 1,024 bytes; this one has 1,025"),
    ],
)
def test_what_names_no_image_is_the_callers_mistake(uri: str, complaint: str) -> None:
    with pytest.raises(CallerError, match=complaint):
        ImageRef.parse(uri)


@pytest.mark.parametrize(("bucket", "key"), [("", "a"), ("a/b", "a"), ("shop", ""), ("shop", "é" * 513)])
def test_no_image_has_a_name_that_no_bucket_can_hold(bucket: str, key: str) -> None:
    with pytest.raises(CallerError):
        ImageRef(bucket, key)


def test_a_key_is_measured_in_bytes() -> None:
    assert ImageRef("shop", "é" * 512).key == "é" * 512


@pytest.mark.parametrize(
    ("encoded", "key"),
    [("a+b.jpg", "a b.jpg"), ("a%2Bb.jpg", "a+b.jpg"), ("%C3%BC/%F0%9F%91%9F", "ü/👟"), ("a%2520b", "a%20b")],
)
def test_a_key_in_an_event_is_encoded_like_a_form(encoded: str, key: str) -> None:
    assert ImageRef.from_event("shop", encoded) == ImageRef("shop", key)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://shop", BucketPrefix("shop", "")),
        ("s3://shop/", BucketPrefix("shop", "")),
        ("s3://shop/shoes", BucketPrefix("shop", "shoes")),
        ("s3://shop/shoes/", BucketPrefix("shop", "shoes/")),
        ("s3://shop//odd", BucketPrefix("shop", "/odd")),
    ],
)
def test_a_place_is_a_bucket_and_the_beginning_of_its_keys(uri: str, place: BucketPrefix) -> None:
    assert BucketPrefix.parse(uri) == place


@pytest.mark.parametrize("uri", ["shop", "s3://", "s3:///shoes", "gs://shop/shoes"])
def test_what_names_no_place_is_the_callers_mistake(uri: str) -> None:
    with pytest.raises(CallerError, match=r"write s3://bucket/prefix"):
        BucketPrefix.parse(uri)


@pytest.mark.parametrize("metadata", [{}, {"product": ""}, {"product": "x" * 1025}, {"title": "shoe"}])
def test_metadata_that_names_no_product_a_record_can_have_names_none(metadata: dict[str, str]) -> None:
    assert product_of_metadata(metadata) is None


def test_a_product_comes_back_from_metadata_as_it_was() -> None:
    assert product_of_metadata(product_metadata("Größe 7/a%20b")) == "Größe 7/a%20b"
