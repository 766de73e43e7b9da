"""What a dead-letter queue promises, asked of the fake and of SQS on two emulators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.sqs import FAILED_WAITS_S, SqsDeadLetters, SqsDeliveries
from pipeline.dead_letters import UNDONE, DeadLetter
from pipeline.deliveries import REDRIVEN
from pipeline.errors import NoStack, RetryLater
from pipeline.images import ImageRef
from pipeline.memory.dead_letters import MemoryDeadLetters
from pipeline.messages import TagImage
from tests.aws_world import AwsWorld, answer, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import DeadLetters

OURS = TagImage(ImageRef("shop", "ü b.jpg"), "run-1", "boot").encode()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Graveyard:
    """Dead letters, how a message dies, and what came back to its queue."""

    letters: DeadLetters
    add: Callable[[str], Any]
    came_back: Callable[[], list[str]]

    def bodies(self) -> list[str]:
        """Return the bodies of all letters that can be seen, and hide them."""
        found: list[str] = []
        while batch := self.letters.receive():
            found += [letter.body for letter in batch]
        return sorted(found)


@pytest.fixture
def graveyard(world: AwsWorld | None) -> Graveyard:
    """An empty dead-letter queue."""
    if world is None:
        fake = MemoryDeadLetters()
        return Graveyard(fake, fake.add, lambda: list(fake.source))
    sqs, dead_url = world.sqs, world.queue()
    source_url = sqs.create_queue(QueueName=f"{world.name}-source")["QueueUrl"]

    def came_back() -> list[str]:
        found = sqs.receive_message(QueueUrl=source_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", ())]

    return Graveyard(
        SqsDeadLetters(sqs, dead_url, source_url, long_poll_s=0),
        lambda body: sqs.send_message(QueueUrl=dead_url, MessageBody=body),
        came_back,
    )


def test_letters_are_received_as_they_were_sent_and_hidden(graveyard: Graveyard) -> None:
    for at in range(12):
        graveyard.add(f"body {at}")

    assert graveyard.bodies() == sorted(f"body {at}" for at in range(12))
    assert graveyard.letters.receive() == ()
    assert graveyard.letters.depth().in_flight == 12


def test_letters_that_are_released_can_be_seen_again(graveyard: Graveyard) -> None:
    graveyard.add("a")
    graveyard.letters.release(graveyard.letters.receive())

    assert graveyard.letters.depth().waiting == 1
    assert graveyard.bodies() == ["a"]


def test_letters_that_are_too_much_for_one_call_are_sent_back_in_several(graveyard: Graveyard) -> None:
    bodies = [str(at) * 400_000 for at in range(3)]
    for body in bodies:
        graveyard.add(body)

    assert graveyard.letters.resend(graveyard.letters.receive()) == ()
    came_back = [body for _ in bodies for body in graveyard.came_back()]
    assert sorted({body[0] for body in came_back}) == ["0", "1", "2"]
    assert graveyard.letters.depth().in_flight == 0


def test_letters_that_are_sent_back_are_in_their_queue_and_dead_no_more(graveyard: Graveyard) -> None:
    graveyard.add(OURS)
    graveyard.add("garbage")

    assert graveyard.letters.resend(graveyard.letters.receive()) == ()

    assert sorted(graveyard.came_back()) == sorted([OURS, "garbage"])
    depth = graveyard.letters.depth()
    assert (depth.waiting, depth.in_flight) == (0, 0)


@pytest.mark.parametrize("world", ["moto", pytest.param("ministack", marks=pytest.mark.slow)], indirect=True)
def test_a_letter_knows_when_it_was_sent(graveyard: Graveyard) -> None:
    graveyard.add("a")

    [letter] = graveyard.letters.receive()

    assert abs(letter.sent_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_letter_that_can_be_read_names_its_images() -> None:
    assert DeadLetter("id", "receipt", OURS, NOW).images == (ImageRef("shop", "ü b.jpg"),)
    assert DeadLetter("id", "receipt", "garbage", NOW).images == ()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("BadMessage: the message is not JSON", "BadMessage"),
        ("ValueError in load (Image.py, line 7)", "ValueError"),
        ("UnidentifiedImageError", "UnidentifiedImageError"),
        (None, UNDONE),
        ("", UNDONE),
        ("7 of 9", UNDONE),
    ],
)
def test_the_reason_of_a_letter_is_the_name_of_its_error(error: str | None, reason: str) -> None:
    assert DeadLetter("id", "receipt", OURS, NOW, error).reason == reason


@pytest.mark.parametrize("world", ["moto", pytest.param("ministack", marks=pytest.mark.slow)], indirect=True)
def test_a_letter_that_was_buried_tells_its_error_and_goes_back_as_it_came(world: AwsWorld) -> None:
    dead_url = world.queue()
    source_url = world.sqs.create_queue(QueueName=f"{world.name}-source")["QueueUrl"]
    SqsDeliveries(world.sqs, source_url, dead_url).bury(OURS, "ValueError in load (Image.py, line 7)", "run-1")
    letters = SqsDeadLetters(world.sqs, dead_url, source_url, long_poll_s=0)

    [letter] = letters.receive()
    assert (letter.body, letter.error) == (OURS, "ValueError in load (Image.py, line 7)")

    assert letters.resend([letter]) == ()
    [message] = world.sqs.receive_message(QueueUrl=source_url)["Messages"]
    assert message["Body"] == OURS


def test_letters_that_were_not_taken_back_are_returned_and_not_deleted(moto: AwsWorld) -> None:
    letters = [DeadLetter(str(at), f"receipt {at}", "body", NOW) for at in range(3)]
    calls = answer(moto.sqs, {"Failed": [{"Id": "1"}, {"Id": "0"}, {"Id": "2"}]})

    assert SqsDeadLetters(moto.sqs, "https://dead", "https://source").resend(letters) == tuple(letters)
    assert calls["DeleteMessageBatch"] == 0


def test_a_letter_is_sent_before_it_is_deleted(moto: AwsWorld) -> None:
    """A crash between them makes a second look, never a lost one."""
    calls = answer(moto.sqs, refusal("RequestThrottled"))

    with pytest.raises(RetryLater):
        SqsDeadLetters(moto.sqs, "https://dead", "https://source").resend([DeadLetter("1", "r", "body", NOW)])
    assert dict(calls) == {"SendMessageBatch": 1}


def test_a_dead_letter_queue_that_is_not_there_is_no_stack(moto: AwsWorld) -> None:
    absent = SqsDeadLetters(moto.sqs, moto.queue() + "-of-nobody", "https://source")

    with pytest.raises(NoStack):
        absent.receive()


def test_a_letter_that_was_sent_but_not_deleted_counts_as_remaining(moto: AwsWorld) -> None:
    letters = [DeadLetter(str(number), f"receipt {number}", "body", NOW) for number in range(2)]
    failed = {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}
    calls = answer(moto.sqs, {"Successful": []}, failed)

    remaining = SqsDeadLetters(moto.sqs, "https://dead", "https://source", sleep=lambda _: None).resend(letters)

    assert remaining == (letters[1],)
    assert dict(calls) == {"SendMessageBatch": 1, "DeleteMessageBatch": 1 + len(FAILED_WAITS_S)}


def test_letters_that_cannot_be_released_are_an_error_that_says_how_long_they_hide(moto: AwsWorld) -> None:
    answer(moto.sqs, {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]})
    letters = SqsDeadLetters(moto.sqs, "https://dead", "https://source", sleep=lambda _: None)

    with pytest.raises(RetryLater, match="1 dead letters stay hidden for up to 300 s"):
        letters.release([DeadLetter("1", "receipt", "body", NOW)])


@pytest.mark.parametrize("world", ["moto", pytest.param("ministack", marks=pytest.mark.slow)], indirect=True)
def test_a_redriven_message_is_known_as_a_redelivery(world: AwsWorld) -> None:
    dead_url = world.queue()
    source_url = world.sqs.create_queue(QueueName=f"{world.name}-source")["QueueUrl"]
    world.sqs.send_message(QueueUrl=dead_url, MessageBody=OURS)
    letters = SqsDeadLetters(world.sqs, dead_url, source_url, long_poll_s=0)

    assert letters.resend(letters.receive()) == ()

    [message] = world.sqs.receive_message(QueueUrl=source_url, MessageAttributeNames=["All"])["Messages"]
    assert REDRIVEN in message["MessageAttributes"]
