"""Whoever uploaded a photo gets its result, and nobody else does."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import RetryLater
from pipeline.http.catalogue import Image
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.connections import MemoryConnections
from pipeline.memory.table import MemoryTable
from pipeline.memory.watchers import MemoryWatchers
from pipeline.records import GoneImage, Observation, Record, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.table_layout import to_item
from pipeline.watchers import Ticket
from results_sink.notify import (
    MAX_MESSAGE_CHARACTERS,
    Notifier,
    WatchAdmission,
    make_notify_handler,
    make_watch_handler,
    newest_of,
)
from tests.results_sink.test_changes import event_of

IMAGE = ImageRef("shop", "uploads/shoe-1.jpg")
SHOE = "n04120489"
RETRIES = 3  # of a batch, in the template
PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "websocket.md"


def observation(image: ImageRef, now: datetime) -> Observation:
    return Observation(image, "shoe-1", "upload", now, '"e"', now, "m", "t")


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
        self.admission = WatchAdmission(self.notifier, self.table)
        self.watchers.issue(Ticket("secret", IMAGE, now + timedelta(minutes=10)))
        self.tagged: Record = TaggedImage(observation(IMAGE, now), (KeywordTag(SHOE, 0.9),), (), 10, 10)

    def watch(self, connection: str = "mine", secret: object = "secret", language: str = "de") -> bool:
        return self.admission.admit(connection, json.dumps({"kind": "watch", "ticket": secret, "language": language}))

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
    world.write(
        RejectedImage(observation(IMAGE, world.now), RejectReason.FORMAT, "HEIC is not supported; convert to JPEG")
    )

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
    assert not world.admission.admit("theirs", message)
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

    world.notifier.notify(TaggedImage(observation(other, world.now), (), (), 10, 10))

    assert world.sent() == []


def test_an_upload_that_was_removed_meanwhile_is_told_as_gone(world: World) -> None:
    world.watch()
    world.write(GoneImage(observation(IMAGE, world.now)))

    assert world.sent() == [("mine", "gone")]


def test_an_unknown_language_is_the_first_one(world: World, vocabulary: Vocabulary) -> None:
    world.watch(language="tlh")
    world.write(world.tagged)

    assert world.connections.sent[0][1]["record"]["keywords"][0]["keyword"] == vocabulary.nodes[SHOE].name()


def test_the_handler_takes_what_api_gateway_sends(world: World) -> None:
    handle = make_watch_handler(world.admission)
    world.write(world.tagged)

    event = {"requestContext": {"connectionId": "mine"}, "body": json.dumps({"ticket": "secret"})}
    assert handle(event, None) == {"statusCode": 200}
    assert world.sent() == [("mine", "tagged")]


def upload(name: str, now: datetime, revision: int = 1) -> tuple[str, dict[str, Any]]:
    """Return how the stream tells that an image was written: by this revision's score."""
    tags = (KeywordTag(SHOE, revision / 10),)
    return "NewImage", to_item(TaggedImage(observation(ImageRef("shop", name), now), tags, (), 10, 10), revision)


def removed(name: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return how the stream tells that an item was taken away, as when its time is over."""
    return "OldImage", upload(name, now, 9)[1]


def test_of_each_upload_the_newest_record_is_told_in_the_order_they_came_to_be(now: datetime) -> None:
    names = ("uploads/a.jpg", "uploads/b.jpg", "uploads/a.jpg", "uploads/c.jpg")
    event = event_of(*(upload(name, now, at + 1) for at, name in enumerate(names)))

    found = [(record.observation.image.key, record.revision) for record in newest_of(event)]
    assert found == [("uploads/b.jpg", 2), ("uploads/a.jpg", 3), ("uploads/c.jpg", 4)]


def test_an_item_that_was_removed_is_no_result(now: datetime) -> None:
    event = event_of(removed("uploads/a.jpg", now), upload("uploads/b.jpg", now), removed("uploads/b.jpg", now))

    assert [record.observation.image.key for record in newest_of(event)] == ["uploads/b.jpg"]


def test_what_nobody_uploaded_is_told_to_nobody(now: datetime) -> None:
    names = ("products/a.jpg", "uploads", "my/uploads/a.jpg", "UPLOADS/a.jpg", "uploads2/a.jpg")

    assert newest_of(event_of(*(upload(name, now) for name in names))) == []
    assert newest_of(event_of()) == []


def test_the_handler_of_the_stream_brings_each_result_to_who_waits_for_it(world: World) -> None:
    world.watch()
    other = ImageRef("shop", "uploads/theirs-1.jpg")
    world.watchers.issue(Ticket("other", other, world.now + timedelta(minutes=10)))
    assert world.watch("theirs", "other")
    handle = make_notify_handler(world.notifier)

    handle(
        event_of(upload(IMAGE.key, world.now), upload("products/a.jpg", world.now), upload(other.key, world.now)), None
    )

    told = [(connection, message["record"]["image"]) for connection, message in world.connections.sent]
    assert told == [("mine", str(IMAGE)), ("theirs", str(other))]
    handle(event_of(upload(IMAGE.key, world.now, 2)), None)
    assert len(world.connections.sent) == 2


def test_what_a_gateway_that_is_down_refuses_comes_once_when_it_is_back(world: World) -> None:
    """AWS Lambda calls the function with the same batch again, and a redrive with the record's next revision."""
    world.watch()
    other = ImageRef("shop", "uploads/theirs-1.jpg")
    world.watchers.issue(Ticket("other", other, world.now + timedelta(minutes=10)))
    world.watch("theirs", "other")
    handle = make_notify_handler(world.notifier)
    batch = event_of(upload(other.key, world.now), upload(IMAGE.key, world.now))
    world.connections.refused = {"mine"}

    for _ in range(1 + RETRIES):
        with pytest.raises(RetryLater):
            handle(batch, None)
    assert [connection for connection, _ in world.connections.sent] == ["theirs"]

    world.connections.refused.clear()
    for _ in range(2):
        handle(event_of(upload(IMAGE.key, world.now, 2)), None)
    assert [connection for connection, _ in world.connections.sent] == ["theirs", "mine"]


def test_a_message_is_of_the_form_that_the_page_of_the_protocol_promises(world: World) -> None:
    sent_by_client, sent_by_server = re.findall(r"```text\n(.*?)```", PROTOCOL.read_text("utf-8"), re.DOTALL)
    world.watch()
    world.write(world.tagged)
    [(_, message)] = world.connections.sent

    assert set(message) == set(json.loads(sent_by_server)["properties"])
    assert Image.model_validate(message["record"]).status == "tagged"
    assert set(json.loads(sent_by_client)["properties"]) == {"ticket", "language"}
    assert f"at most {MAX_MESSAGE_CHARACTERS} characters" in PROTOCOL.read_text("utf-8")
