"""What an image store promises, asked of the fake and of S3 on two emulators."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws import s3
from pipeline.errors import CallerError, Denied, ImageRejected, RetryLater, TooLarge
from pipeline.images import BucketPrefix, FetchedImage, Gone, ImageRef, ListedImage, Unchanged, product_metadata
from pipeline.memory.images import MemoryImages
from pipeline.reject_reasons import RejectReason
from tests.aws_world import ODD_KEYS, AwsWorld, answer, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import ImageStore

LIMIT_BYTES = 1000


@dataclass
class Shop:
    """An image store and the way its owner fills it."""

    store: ImageStore
    bucket: str
    put: Callable[..., Any]
    delete: Callable[[ImageRef], Any]

    def ref(self, key: str) -> ImageRef:
        """Return the image of that key."""
        return ImageRef(self.bucket, key)

    def listed(self, prefix: str = "", start_after: str = "") -> list[ListedImage]:
        """Return the whole listing."""
        return list(self.store.listing(BucketPrefix(self.bucket, prefix), start_after))

    def keys(self, prefix: str = "", start_after: str = "") -> list[str]:
        """Return the keys of the listing."""
        return [listed.image.key for listed in self.listed(prefix, start_after)]


@pytest.fixture
def shop(world: AwsWorld | None) -> Shop:
    """An empty shop."""
    if world is None:
        fake = MemoryImages()
        put = lambda image, data, product=None: fake.put(image, data, product=product)  # noqa: E731 - as below
        return Shop(fake, "shop", put, fake.delete)
    bucket = world.bucket()
    return Shop(
        s3.S3Images(world.s3),
        bucket,
        put=lambda image, data, product=None: world.s3.put_object(
            Bucket=image.bucket, Key=image.key, Body=data, Metadata=product_metadata(product) if product else {}
        ),
        delete=lambda image: world.s3.delete_object(Bucket=image.bucket, Key=image.key),
    )


def test_an_image_is_fetched_as_it_is_now(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"old")
    shop.put(image, b"new")

    fetched = shop.store.fetch(image, None, LIMIT_BYTES)

    assert isinstance(fetched, FetchedImage)
    assert fetched.data == b"new"
    assert abs(fetched.modified_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_image_whose_etag_is_known_answers_unchanged(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"same")
    fetched = shop.store.fetch(image, None, LIMIT_BYTES)
    assert isinstance(fetched, FetchedImage)

    assert shop.store.fetch(image, fetched.etag, LIMIT_BYTES) == Unchanged()


def test_an_image_that_was_replaced_is_fetched_in_spite_of_the_known_etag(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"old")
    old = shop.store.fetch(image, None, LIMIT_BYTES)
    assert isinstance(old, FetchedImage)
    shop.put(image, b"new")

    new = shop.store.fetch(image, old.etag, LIMIT_BYTES)

    assert isinstance(new, FetchedImage)
    assert (new.data, new.etag != old.etag) == (b"new", True)


def test_an_image_that_is_not_there_is_gone(shop: Shop) -> None:
    assert shop.store.fetch(shop.ref("never.jpg"), None, LIMIT_BYTES) == Gone()


def test_an_image_that_was_deleted_is_gone_though_its_etag_is_known(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"x")
    etag = shop.listed()[0].etag
    shop.delete(image)

    assert shop.store.fetch(image, etag, LIMIT_BYTES) == Gone()


def test_an_image_of_exactly_the_limit_is_fetched_and_one_byte_more_is_refused(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"x" * LIMIT_BYTES)
    assert isinstance(shop.store.fetch(image, None, LIMIT_BYTES), FetchedImage)
    shop.put(image, b"x" * (LIMIT_BYTES + 1))

    with pytest.raises(ImageRejected, match=r"a\.jpg has 1,001 bytes; the limit is 1,000") as refused:
        shop.store.fetch(image, None, LIMIT_BYTES)

    assert refused.value.reason is RejectReason.BYTES


def test_a_refused_image_is_known_again_by_its_etag(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"x" * (LIMIT_BYTES + 1))

    with pytest.raises(TooLarge) as refused:
        shop.store.fetch(image, None, LIMIT_BYTES)

    [listed] = shop.listed()
    assert refused.value.etag == listed.etag
    assert abs(refused.value.modified_at - listed.modified_at) < timedelta(seconds=1)
    assert shop.store.fetch(image, refused.value.etag, LIMIT_BYTES) == Unchanged()


def test_an_empty_image_is_fetched_as_no_bytes(shop: Shop) -> None:
    shop.put(shop.ref("a.jpg"), b"")

    fetched = shop.store.fetch(shop.ref("a.jpg"), None, LIMIT_BYTES)

    assert isinstance(fetched, FetchedImage)
    assert fetched.data == b""


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key)[:30])
def test_odd_keys_are_listed_and_fetched_as_they_are(shop: Shop, key: str) -> None:
    shop.put(shop.ref(key), key.encode())

    fetched = shop.store.fetch(shop.ref(key), None, 2000)

    assert isinstance(fetched, FetchedImage)
    assert fetched.data == key.encode()
    assert shop.keys() == [key]


def test_a_listing_knows_etag_size_and_time_as_a_fetch_does(shop: Shop) -> None:
    shop.put(shop.ref("a.jpg"), b"12345")
    fetched = shop.store.fetch(shop.ref("a.jpg"), None, LIMIT_BYTES)
    assert isinstance(fetched, FetchedImage)

    [listed] = shop.listed()

    assert (listed.etag, listed.size_bytes) == (fetched.etag, 5)
    assert abs(listed.modified_at - fetched.modified_at) < timedelta(seconds=1)


def test_a_listing_is_sorted_by_the_bytes_of_the_keys(shop: Shop) -> None:
    for key in ("b", "é", "a/z", "B", "a-", "😀", "\uffee"):
        shop.put(shop.ref(key), b"x")

    assert shop.keys() == ["B", "a-", "a/z", "b", "é", "\uffee", "😀"]


def test_a_listing_keeps_to_its_prefix_and_starts_behind_a_key(shop: Shop) -> None:
    for key in ("a/1", "a/2", "a/3", "b/1"):
        shop.put(shop.ref(key), b"x")

    assert shop.keys("a/") == ["a/1", "a/2", "a/3"]
    assert shop.keys("a/", start_after="a/1") == ["a/2", "a/3"]
    assert shop.keys("nowhere/") == []


def test_a_listing_goes_on_over_many_pages_at_a_thousand_a_call(moto: AwsWorld) -> None:
    bucket = moto.bucket()
    for at in range(1001):
        moto.s3.put_object(Bucket=bucket, Key=f"{at:04}.jpg", Body=b"")

    listed = [found.image.key for found in s3.S3Images(moto.s3).listing(BucketPrefix(bucket))]

    assert listed == [f"{at:04}.jpg" for at in range(1001)]
    assert moto.calls["ListObjectsV2"] == 2


def test_a_listing_of_no_bucket_is_the_callers_mistake(moto: AwsWorld) -> None:
    with pytest.raises(CallerError, match="there is no bucket nowhere-at-all"):
        list(s3.S3Images(moto.s3).listing(BucketPrefix("nowhere-at-all")))


def test_an_image_of_no_bucket_is_rejected_as_missing(moto: AwsWorld) -> None:
    with pytest.raises(ImageRejected, match="there is no bucket nowhere-at-all") as refused:
        s3.S3Images(moto.s3).fetch(ImageRef("nowhere-at-all", "a.jpg"), None, LIMIT_BYTES)

    assert refused.value.reason is RejectReason.MISSING


def test_a_look_costs_one_call(world: AwsWorld | None, shop: Shop) -> None:
    shop.put(shop.ref("a.jpg"), b"x")
    etag = shop.listed()[0].etag
    shop.store.fetch(shop.ref("a.jpg"), etag, LIMIT_BYTES)

    if world is None:
        assert isinstance(shop.store, MemoryImages)
        assert (shop.store.fetches, shop.store.downloads) == (1, 0)
    else:
        assert world.calls["GetObject"] == 1
        assert world.calls["HeadObject"] == 0


def test_an_image_that_is_not_ours_to_read_is_rejected_as_denied(moto: AwsWorld) -> None:
    answer(moto.s3, refusal("AccessDenied", 403))

    with pytest.raises(ImageRejected, match=r"s3://shop/a\.jpg may not be read with this role") as refused:
        s3.S3Images(moto.s3).fetch(ImageRef("shop", "a.jpg"), None, LIMIT_BYTES)

    assert refused.value.reason is RejectReason.DENIED


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_bad_credentials_are_the_deployers_and_never_the_images(moto: AwsWorld, code: str) -> None:
    answer(moto.s3, refusal(code, 403))

    with pytest.raises(Denied, match=code):
        s3.S3Images(moto.s3).fetch(ImageRef("shop", "a.jpg"), None, LIMIT_BYTES)


def test_a_refused_image_is_not_downloaded(moto: AwsWorld) -> None:
    body = Untouched()
    answer(moto.s3, {"Body": body, "ContentLength": LIMIT_BYTES + 1, "ETag": '"e"', "LastModified": None})

    with pytest.raises(ImageRejected, match="the limit is 1,000"):
        s3.S3Images(moto.s3).fetch(ImageRef("shop", "a.jpg"), None, LIMIT_BYTES)

    assert body.closed


class Untouched:
    """A body that must not be read, only closed."""

    closed = False

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def test_a_download_that_trickles_is_given_up_for_now(moto: AwsWorld) -> None:
    now_s = itertools.count(step=7)
    body = Trickle()
    answer(moto.s3, {"Body": body, "ContentLength": 9, "ETag": '"e"', "LastModified": None})

    with pytest.raises(RetryLater, match="the download takes more than 30 s"):
        s3.S3Images(moto.s3, lambda: next(now_s)).fetch(ImageRef("shop", "a.jpg"), None, LIMIT_BYTES)

    assert (body.closed, body.given) == (True, 5)


class Trickle(Untouched):
    """A body that comes in without an end."""

    given = 0

    def iter_chunks(self, size_bytes: int) -> Any:
        """Give a byte at a time."""
        while True:
            self.given += 1
            yield b"."


def test_an_object_that_names_its_product_is_fetched_with_it(shop: Shop) -> None:
    shop.put(shop.ref("a.jpg"), b"x", "Größe 7")
    shop.put(shop.ref("b.jpg"), b"x")

    products = [shop.store.fetch(shop.ref(key), None, LIMIT_BYTES).product for key in ("a.jpg", "b.jpg")]

    assert products == ["Größe 7", None]


def test_an_image_is_removed_and_one_that_is_not_there_is_no_error(shop: Shop) -> None:
    image = shop.ref("a.jpg")
    shop.put(image, b"x")

    shop.store.delete(image)
    shop.store.delete(image)

    assert shop.store.fetch(image, None, LIMIT_BYTES) == Gone()
