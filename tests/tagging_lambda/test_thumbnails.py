"""Thumbnails: made when first asked for, of every format that is read, and kept until the photo changes."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from infra.package import TEMPLATE
from pipeline.errors import ImageRejected
from pipeline.images import ImageRef
from pipeline.memory.files import MemoryFiles
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.decode import encode_webp
from tagging_lambda.image.small_photo import small_photo_reader
from tagging_lambda.recorded_photos import RecordedPhotos
from tagging_lambda.thumbnails import FOLDER, Thumbnails, ThumbnailSize, add_routes
from tests.api_caller import ApiCaller, caller_for
from tests.builders import rejected_image, tagged_image
from tests.infra.template_parts import default, properties, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = ImageRef("shop", "shoes/a b.jpg")
PATH = "/v1/thumbnails/320/shop/shoes/a%20b.jpg"


class Shop:
    """A catalogue whose thumbnails say which photo they are of, and the function that gives them out."""

    def __init__(self) -> None:
        self.table, self.images, self.kept, self.made = MemoryTable(), MemoryImages(), MemoryFiles(), 0
        photos = RecordedPhotos(self.table, self.images, {"shop"})
        self.caller: ApiCaller = caller_for(lambda app: add_routes(app, Thumbnails(photos, self.kept, self._make)))

    def _make(self, data: bytes, size: ThumbnailSize) -> bytes:
        self.made += 1
        if data == b"no photo":
            raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are not those of a picture")
        return b"\xff small " + size.encode() + data  # as no text begins

    def put(self, data: bytes, image: ImageRef = IMAGE, *, tag: bool = True) -> None:
        etag = self.images.put(image, data)
        known = self.table.get_many([image]).get(image)
        if tag:
            self.table.put(tagged_image(image, etag=etag), known.revision if known else 0)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_thumbnail_is_made_once_and_then_read_from_where_it_is_kept(shop: Shop) -> None:
    shop.put(b"photo")
    first, second = shop.caller.get(PATH), shop.caller.get(PATH)

    assert (first.status, first.data, first.headers["content-type"]) == (200, b"\xff small 320photo", "image/webp")
    assert second.data == first.data
    assert (shop.made, shop.images.fetches) == (1, 1)
    assert all(name.startswith(FOLDER) for name in shop.kept.files)


def test_each_size_is_its_own_picture_and_other_sizes_there_are_none(shop: Shop) -> None:
    shop.put(b"photo")

    assert shop.caller.get(PATH.replace("320", "640")).data == b"\xff small 640photo"
    refused = shop.caller.get(PATH.replace("320", "500"))
    assert (refused.status, refused.body["code"]) == (400, "invalid_request")
    assert "'320' or '640'" in refused.body["detail"]


def test_who_has_the_picture_already_is_sent_no_bytes_and_a_replaced_photo_is_another_picture(shop: Shop) -> None:
    shop.put(b"photo")
    etag = shop.caller.get(PATH).headers["etag"]
    known = shop.caller.get(PATH, if_none_match=etag)
    shop.put(b"another")
    replaced = shop.caller.get(PATH, if_none_match=etag)

    assert (known.status, known.data) == (304, b"")
    assert known.headers["cache-control"].startswith("private, max-age=600")
    assert (replaced.status, replaced.data) == (200, b"\xff small 320another")


def test_a_photo_that_was_replaced_and_not_tagged_yet_is_shown_as_it_is_now(shop: Shop) -> None:
    shop.put(b"photo")
    shop.put(b"another", tag=False)

    assert [shop.caller.get(PATH).data for _ in range(2)] == [b"\xff small 320another"] * 2


def test_only_photos_with_a_record_in_a_bucket_of_the_catalogue_are_shown(shop: Shop) -> None:
    shop.put(b"payroll", ImageRef("shop", "payroll.jpg"), tag=False)
    shop.put(b"photo", ImageRef("theirs", "a.jpg"))

    for path in ("shop/payroll.jpg", "theirs/a.jpg", "shop/none.jpg"):
        answer = shop.caller.get(f"/v1/thumbnails/320/{path}")
        assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert shop.images.fetches == 0


def test_a_rejected_photo_says_why_without_being_fetched(shop: Shop) -> None:
    shop.table.put(rejected_image(IMAGE, RejectReason.FORMAT, "HEIC is not supported"), 0)
    answer = shop.caller.get(PATH)

    assert (answer.status, answer.body["reason"], answer.body["detail"]) == (415, "format", "HEIC is not supported")
    assert shop.images.fetches == 0


def test_a_photo_that_cannot_be_read_or_is_gone_is_a_problem_and_nothing_is_kept(shop: Shop) -> None:
    shop.put(b"no photo")
    assert shop.caller.get(PATH).status == 415
    shop.images.delete(IMAGE)
    assert (shop.caller.get(PATH).status, shop.caller.get(PATH).body["reason"]) == (404, "missing")
    assert not shop.kept.files


# ---- The pictures themselves, by the reader that is deployed -----------------------------------------------------


@pytest.fixture(scope="module")
def reader() -> Iterator[Any]:
    reading = small_photo_reader(320)
    yield reading
    reading.close()


def a_photo(kind: str, size: tuple[int, int], **saved: Any) -> bytes:
    """Return a photo that is red at the top and blue below, as a file of this format."""
    picture = Image.new("RGB", size, (0, 0, 200))
    picture.paste((200, 0, 0), (0, 0, size[0], size[1] // 2))
    file = BytesIO()
    picture.save(file, kind, **saved)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_that_is_read_becomes_a_webp_of_the_whole_photo(reader: Any, kind: str) -> None:
    small = Image.open(BytesIO(encode_webp(reader.read(a_photo(kind, (1200, 600))).levels, 75)))

    assert (small.format, small.size) == ("WEBP", (320, 160))
    assert [round(level / 200) for level in small.getpixel((160, 20))] == [1, 0, 0]
    assert [round(level / 200) for level in small.getpixel((160, 140))] == [0, 0, 1]


def test_a_photo_that_lies_on_its_side_is_turned_upright(reader: Any) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    levels = reader.read(a_photo("JPEG", (1200, 600), exif=turned)).levels

    assert levels.shape == (320, 160, 3)
    assert levels[160, 150, 0] > 150  # what was at the top is on the right
    assert levels[160, 10, 2] > 150


def test_a_small_photo_is_not_enlarged(reader: Any) -> None:
    assert reader.read(a_photo("PNG", (100, 40))).levels.shape == (40, 100, 3)


def test_a_packshot_of_320_pixels_has_some_ten_kilobytes() -> None:
    noise = np.random.default_rng(7).normal(200, 6, (320, 320, 3)).clip(0, 255).astype(np.uint8)

    assert len(encode_webp(noise, 75)) < 20_000


# ---- Where they are kept -----------------------------------------------------------------------------------------


def test_thumbnails_end_after_a_month_and_no_export_lies_where_they_do() -> None:
    [rule] = [
        rule for rule in properties("ExportBucket")["LifecycleConfiguration"]["Rules"] if rule["Id"] == "thumbnails"
    ]
    pattern = whole()["Parameters"]["ExportPrefix"]["AllowedPattern"]

    assert (rule["Prefix"], rule["ExpirationInDays"], rule["Status"]) == (FOLDER, 30, "Enabled")
    assert f"/{FOLDER}*" in TEMPLATE.read_text("utf-8")
    assert re.fullmatch(pattern, default("ExportPrefix"))
    assert not re.fullmatch(pattern, FOLDER.rstrip("/"))
    assert not re.fullmatch(pattern, f"{FOLDER}export")
