"""Whoever uploaded a photo gets its result, and nobody else does."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from pipeline.connections import MemoryConnections
from pipeline.errors import RejectReason
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory import MemoryTable
from pipeline.records import GoneImage, Look, Record, RejectedImage, TaggedImage
from pipeline.watchers import MemoryWatchers, Ticket
from results_sink.notify import Notifier, Usher, make_watch_handler

IMAGE = ImageRef("shop", "uploads/shoe-1.jpg")
SHOE = "n04120489"


def look(image: ImageRef, now: datetime) -> Look:
    return Look(image, "shoe-1", "upload", now, '"e"', now, "m", "t")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load()


class World:
    """A shop with one upload on its way, and somebody who watches."""

    def __init__(self, vocabulary: Vocabulary, now: datetime) -> None:
        self.now = now
        self.watchers, self.connections, self.table = (
            MemoryWatchers(),
            MemoryConnections({"mine", "theirs"}),
            MemoryTable(),
        )
        self.notifier = Notifier(self.watchers, self.connections, vocabulary, lambda: self.now)
        self.usher = Usher(self.notifier, self.table)
        self.watchers.issue(Ticket("secret", IMAGE, now + timedelta(minutes=10)))
        self.tagged: Record = TaggedImage(look(IMAGE, now), (KeywordTag(SHOE, 0.9),), (), 10, 10)

    def watch(self, connection: str = "mine", secret: object = "secret", language: str = "de") -> bool:
        return self.usher.admit(connection, json.dumps({"kind": "watch", "ticket": secret, "language": language}))

    def write(self, record: Record) -> None:
        """The record rests, and the table's stream tells of it."""
        self.table.put(record, 0)
        self.notifier.notify(record)

    def sent(self) -> list[tuple[str, str]]:
        return [(connection, message["record"]["status"]) for connection, message in self.connections.sent]


@pytest.fixture
def world(vocabulary: Vocabulary, now: datetime) -> World:
    return World(vocabulary, now)


def test_a_result_comes_to_who_waits_for_it_in_their_language(world: World, vocabulary: Vocabulary) -> None:
    assert world.watch()
    world.write(world.tagged)

    [(connection, message)] = world.connections.sent
    assert connection == "mine"
    assert message["kind"] == "record"
    assert message["record"]["image"] == str(IMAGE)
    assert message["record"]["keywords"][0]["keyword"] == vocabulary.nodes[SHOE].name("de")


def test_a_result_that_was_first_comes_at_once(world: World) -> None:
    world.write(world.tagged)
    assert world.sent() == []

    assert world.watch()
    assert world.sent() == [("mine", "tagged")]


def test_a_rejected_photo_comes_with_its_reason_in_plain_words(world: World) -> None:
    world.watch()
    world.write(RejectedImage(look(IMAGE, world.now), RejectReason.FORMAT, "HEIC is not supported; convert to JPEG"))

    [(_, message)] = world.connections.sent
    assert (message["record"]["reason"], message["record"]["detail"]) == (
        "format",
        "HEIC is not supported; convert to JPEG",
    )


@pytest.mark.parametrize("secret", ["wrong", "", None, 5, ["secret"], "Secret", "secret ", "x" * 600, "\ud800"])
def test_a_wrong_ticket_gets_nothing_and_the_connection_is_closed(world: World, secret: object) -> None:
    world.write(world.tagged)

    assert not world.watch("theirs", secret)
    assert world.sent() == []
    assert world.connections.open == {"mine"}


@pytest.mark.parametrize("message", ["", "{", "[]", "null", '"secret"', "[" * 500, '{"kind":"watch"}'])
def test_what_is_no_message_gets_nothing(world: World, message: str) -> None:
    assert not world.usher.admit("theirs", message)
    assert "theirs" not in world.connections.open


def test_a_stale_ticket_gets_nothing(world: World) -> None:
    world.write(world.tagged)
    world.now += timedelta(minutes=10)

    assert not world.watch()
    assert world.sent() == []


def test_a_watcher_that_is_gone_is_forgotten(world: World) -> None:
    world.watch()
    world.connections.open.clear()

    world.write(world.tagged)

    assert world.watchers.waits == {}
    assert world.sent() == []


def test_a_result_is_pushed_once(world: World) -> None:
    world.watch()
    world.write(world.tagged)
    world.notifier.notify(world.tagged)

    assert world.sent() == [("mine", "tagged")]


def test_a_watcher_that_lost_its_connection_comes_back_with_the_same_ticket(world: World) -> None:
    world.watch()
    world.connections.open = {"again"}
    world.write(world.tagged)

    assert world.watch("again")
    assert world.sent() == [("again", "tagged")]


def test_other_images_are_nobody_elses_to_see(world: World) -> None:
    world.watch()
    other = ImageRef("shop", "uploads/shoe-2.jpg")

    world.notifier.notify(TaggedImage(look(other, world.now), (), (), 10, 10))

    assert world.sent() == []


def test_an_upload_that_was_removed_meanwhile_is_told_as_gone(world: World) -> None:
    world.watch()
    world.write(GoneImage(look(IMAGE, world.now)))

    assert world.sent() == [("mine", "gone")]


def test_an_unknown_language_is_the_first_one(world: World, vocabulary: Vocabulary) -> None:
    world.watch(language="tlh")
    world.write(world.tagged)

    assert world.connections.sent[0][1]["record"]["keywords"][0]["keyword"] == vocabulary.nodes[SHOE].name()


def test_the_handler_takes_what_api_gateway_sends(world: World) -> None:
    handle = make_watch_handler(world.usher)
    world.write(world.tagged)

    event = {"requestContext": {"connectionId": "mine"}, "body": json.dumps({"ticket": "secret"})}
    assert handle(event, None) == {"statusCode": 200}
    assert world.sent() == [("mine", "tagged")]
