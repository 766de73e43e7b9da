"""An upload gets a place that nobody else has, and a ticket that only its uploader knows."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest

from catalog_loader.upload import TYPES, Uploads, add_routes
from pipeline.errors import RejectReason
from pipeline.images import MAX_IMAGE_BYTES, ImageRef
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.watchers import MemoryWatchers
from tests.api_caller import JSON, caller_for


@pytest.fixture
def world(clock) -> tuple[Any, MemoryAddresses, MemoryWatchers]:
    addresses, watchers = MemoryAddresses(), MemoryWatchers()
    uploads = Uploads("shop", addresses, watchers, clock, secrets.token_hex, minutes=10)
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
