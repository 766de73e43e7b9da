"""Which photos of the catalogue are the same photo: over HTTP, by prints of made-up pictures."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ImageRejected
from pipeline.images import ImageRef
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.same_photo import PhotoPrint
from tagging_lambda.recorded_photos import RecordedPhotos
from tagging_lambda.same_photos import PhotoComparison, add_routes
from tests.api_caller import ApiCaller, caller_for
from tests.builders import tagged_image


def a_print(data: bytes) -> PhotoPrint:
    """Return the print of a made-up picture: the first byte says what is on it, the second its colour."""
    if data == b"damaged":
        raise ImageRejected(RejectReason.CORRUPT, "the data is damaged")
    blocks = np.random.default_rng(data[0]).integers(0, 2, (12, 12)).repeat(8, 0).repeat(8, 1)
    colour = np.array([(200, 40, 40), (40, 40, 200)][data[1] - ord("0")])
    levels = np.where(blocks[..., None] == 1, colour, 250).astype(np.uint8)
    return PhotoPrint.of(levels[:, ::-1] if data.endswith(b"mirrored") else levels)


@pytest.fixture
def caller() -> ApiCaller:
    table, images = MemoryTable(), MemoryImages()
    photos = {"a": b"a0", "copy": b"a0 mirrored", "blue": b"a1", "other": b"b0", "bad": b"damaged"}
    for name, data in photos.items():
        image = ImageRef("shop", name)
        table.put(tagged_image(image, etag=images.put(image, data)), 0)
    comparison = PhotoComparison(RecordedPhotos(table, images, {"shop"}), a_print)
    return caller_for(lambda app: add_routes(app, comparison))


def same(caller: ApiCaller, image: str, *candidates: str) -> list[str]:
    """Return what the API says is the same photo."""
    document = {"image": f"s3://shop/{image}", "candidates": [f"s3://shop/{name}" for name in candidates]}
    answer = caller.post("/v1/duplicates", document)
    assert answer.status == 200, answer.body
    return [name.rsplit("/", 1)[1] for name in answer.body["same"]]


def test_the_same_photo_is_named_and_neither_another_colour_nor_another_photo(caller: ApiCaller) -> None:
    assert same(caller, "a", "copy", "blue", "other") == ["copy"]


def test_what_cannot_be_read_or_is_the_photo_itself_is_no_duplicate(caller: ApiCaller) -> None:
    assert same(caller, "a", "bad", "none", "a", "copy", "copy") == ["copy"]


def test_a_photo_that_is_not_there_or_too_many_candidates_are_told(caller: ApiCaller) -> None:
    lost = caller.post("/v1/duplicates", {"image": "s3://shop/none", "candidates": ["s3://shop/a"]})
    many = caller.post("/v1/duplicates", {"image": "s3://shop/a", "candidates": ["s3://shop/a"] * 9})

    assert (lost.status, lost.body["detail"]) == (404, "there is no photo s3://shop/none")
    assert (many.status, many.body["errors"][0]["field"]) == (400, "body.candidates")
