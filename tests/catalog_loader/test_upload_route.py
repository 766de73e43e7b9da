"""An upload gets a place that nobody else has, and a ticket that only its uploader knows."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from catalog_loader.upload_route import TYPES, Uploads, add_routes
from pipeline.images import MAX_IMAGE_BYTES, ImageRef
from pipeline.memory.images import MemoryImages
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.watchers import MemoryWatchers
from pipeline.reject_reasons import RejectReason
from tests.api_caller import JSON, caller_for

UPLOADED, OWN = "uploads/shoe-1.jpg", "shoes/1.jpg"
AS_JSON = {"content-type": JSON}


@pytest.fixture
def world(clock) -> tuple[Any, MemoryAddresses, MemoryWatchers]:
    addresses, watchers = MemoryAddresses(), MemoryWatchers()
    uploads = Uploads("shop", addresses, MemoryImages(), watchers, clock, secrets.token_hex, minutes=10)
    caller = caller_for(lambda app: add_routes(app, uploads))

    def announce(document: Any) -> tuple[int, Any]:
        if isinstance(document, bytes):
            answer = caller.send("POST", "/v1/uploads", data=document, headers={"content-type": JSON})
        else:
            answer = caller.post("/v1/uploads", document)
        return answer.status, answer.body

    return announce, addresses, watchers


def wish(name: str = "shoe.jpg", type: str = "image/jpeg", size: int = 1000) -> dict[str, Any]:  # noqa: A002 - the request's own name
    return {"name": name, "type": type, "size": size}


def test_a_photo_gets_a_form_for_exactly_its_key_type_and_size_for_some_minutes(world, now: datetime) -> None:
    announce, addresses, watchers = world

    status, told = announce(wish())

    image = ImageRef.parse(told["image"])
    assert status == 201
    assert addresses.forms == [(image, "image/jpeg", 1000, 600)]
    assert told["fields"]["key"] == image.key
    assert image.key.startswith("uploads/shoe-")
    assert image.key.endswith(".jpg")
    assert datetime.fromisoformat(told["expires_at"]) == now + timedelta(minutes=10)
    assert told["seconds"] == 600
    assert watchers.image_of(told["ticket"], now) == image


def test_two_of_the_same_name_never_meet(world) -> None:
    announce, _, _ = world

    told = [announce(wish())[1] for _ in range(50)]

    assert len({each["image"] for each in told}) == 50
    assert len({each["ticket"] for each in told}) == 50
    products = {each["image"].rsplit("/")[-1].partition(".")[0] for each in told}
    assert len(products) == 50


def test_only_a_digest_of_the_ticket_is_kept(world) -> None:
    announce, _, watchers = world

    _, told = announce(wish())

    assert told["ticket"] not in watchers.tickets


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\Schöner Schuh (1).JPG", "schoner-schuh-1"),
        ("${filename}", "filename"),
        ("<script>alert(1)</script>.jpg", "script"),
        ("靴.jpg", "photo"),
        (".jpg", "jpg"),
        ("a" * 1000 + ".jpg", "a" * 60),
    ],
)
def test_a_name_becomes_a_key_that_nothing_reads_as_more_than_letters(world, name: str, slug: str) -> None:
    announce, _, _ = world

    _, told = announce(wish(name=name))

    key = ImageRef.parse(told["image"]).key
    assert key.startswith(f"uploads/{slug}-")
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/.")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (wish(size=0), RejectReason.EMPTY),
        (wish(size=MAX_IMAGE_BYTES + 1), RejectReason.BYTES),
        (wish(type="image/heic"), RejectReason.FORMAT),
        (wish(type="image/svg+xml"), RejectReason.NOT_IMAGE),
        (wish(type="text/html"), RejectReason.NOT_IMAGE),
        (wish(type="image/jpeg\r\nX-Amz-Acl: public-read"), RejectReason.NOT_IMAGE),
    ],
)
def test_what_would_be_rejected_anyway_is_so_at_once_with_its_reason(world, asked: Any, reason: RejectReason) -> None:
    announce, addresses, watchers = world

    status, problem = announce(asked)

    assert 400 <= status < 500
    assert problem["reason"] == reason
    assert not addresses.forms
    assert not watchers.tickets


@pytest.mark.parametrize(
    "asked",
    [
        b"no json",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        wish() | {"folder": "x"},
        {},
        {"name": "a.jpg"},
        wish(name=""),
        wish(size="1"),
        wish(size=True),
        wish(size=-1),
        wish(size=1.5),
        {"name": "a", "size": 1},
        {"name": "a", "size": 1, "type": 3},
        wish(name="a" * 2000),
    ],
)
def test_a_request_with_a_mistake_is_told_so(world, asked: Any) -> None:
    announce, addresses, _ = world

    assert announce(asked)[0] == 400
    assert not addresses.forms


def test_every_format_that_is_read_can_be_uploaded(world) -> None:
    announce, _, _ = world

    assert [announce(wish(type=each))[0] for each in TYPES] == [201] * 7


@pytest.fixture
def shop(clock) -> tuple[Any, MemoryImages]:
    """A bucket with an upload and a photo of the shop's own, and whoever calls the API."""
    images = MemoryImages()
    for key in (UPLOADED, OWN):
        images.put(ImageRef("shop", key), b"photo")
    uploads = Uploads("shop", MemoryAddresses(), images, MemoryWatchers(), clock, secrets.token_hex, minutes=10)
    return caller_for(lambda app: add_routes(app, uploads)), images


def test_a_photo_can_be_announced_as_one_more_of_a_product(world) -> None:
    announce, _, _ = world

    status, ticket = announce(wish() | {"product": "Schuh 4711"})

    assert status == 201
    assert ticket["fields"]["product"] == "Schuh%204711"


def test_a_product_that_no_metadata_can_hold_is_refused_in_one_line(world) -> None:
    announce, _, watchers = world

    status, problem = announce(wish() | {"product": "ü" * 400})

    assert status == 400
    assert problem["detail"] == "a product's id takes up to 2,000 bytes, percent-encoded; this one takes 2,400"
    assert not watchers.tickets


def test_an_upload_is_replaced_at_its_own_key_and_not_given_another_product(shop) -> None:
    caller, _ = shop

    answer = caller.send("PUT", f"/v1/images/shop/{UPLOADED}", data=json.dumps(wish()).encode(), headers=AS_JSON)

    assert answer.status == 200
    assert answer.body["fields"] == {"key": UPLOADED, "Content-Type": "image/jpeg"}
    assert answer.body["image"] == f"s3://shop/{UPLOADED}"


def test_an_upload_is_removed_and_removing_it_twice_is_no_error(shop) -> None:
    caller, images = shop

    answers = [caller.send("DELETE", f"/v1/images/shop/{UPLOADED}") for _ in range(2)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, {"image": f"s3://shop/{UPLOADED}"})] * 2
    assert list(images.objects) == [ImageRef("shop", OWN)]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", [f"shop/{OWN}", f"elsewhere/{UPLOADED}", f"shop/{quote('uploads', safe='')}x/1.jpg"])
def test_what_was_not_uploaded_here_is_neither_replaced_nor_removed(shop, method: str, path: str) -> None:
    caller, images = shop

    body = json.dumps(wish()).encode() if method == "PUT" else b""
    answer = caller.send(method, f"/v1/images/{path}", data=body, headers=AS_JSON)

    assert answer.status == 400
    assert "was not uploaded here" in answer.body["detail"]
    assert len(images.objects) == 2
