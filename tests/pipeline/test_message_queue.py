"""What a message queue promises, asked of the fake and of SQS on two emulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws import sqs
from pipeline.errors import NoStack, RetryLater
from pipeline.images import ImageRef
from pipeline.memory.queue import MemoryQueue
from pipeline.messages import TagImage
from pipeline.ports import QueueDepth
from tests.aws_world import ODD_KEYS, AwsWorld, answer, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import MessageQueue


EMULATORS = ["moto", pytest.param("ministack", marks=pytest.mark.slow)]


@dataclass
class Line:
    """A queue and what its other end receives."""

    queue: MessageQueue
    received: Callable[[], list[str]]


@pytest.fixture
def line(world: AwsWorld | None) -> Line:
    """An empty queue."""
    if world is None:
        fake = MemoryQueue()
        return Line(fake, lambda: [message.encode() for message in fake.messages])
    url = world.queue()
    return Line(sqs.SqsQueue(world.sqs, url), lambda: _receive_all(world.sqs, url))


def _receive_all(sqs: Any, url: str) -> list[str]:
    bodies: list[str] = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
    return bodies


def test_what_is_sent_arrives(line: Line) -> None:
    messages = [TagImage(ImageRef("shop", key), "run-1", product=key[:300]) for key in ODD_KEYS[-10:]]

    assert line.queue.send(messages) == ()

    assert sorted(line.received()) == sorted(message.encode() for message in messages)


def test_ten_messages_are_one_call(world: AwsWorld | None, line: Line) -> None:
    line.queue.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(10)])

    if world is None:
        assert isinstance(line.queue, MemoryQueue)
        assert line.queue.calls == 1
    else:
        assert world.calls["SendMessageBatch"] == 1


def test_the_depth_counts_what_waits(line: Line) -> None:
    assert line.queue.depth() == QueueDepth(waiting=0, in_flight=0)

    line.queue.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(7)])

    assert line.queue.depth() == QueueDepth(waiting=7, in_flight=0)


@pytest.mark.parametrize("world", EMULATORS, indirect=True)
def test_the_depth_counts_what_is_being_worked_on(line: Line) -> None:
    line.queue.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(7)])
    line.received()

    assert line.queue.depth() == QueueDepth(waiting=0, in_flight=7)


def test_the_messages_that_sqs_did_not_take_are_returned(moto: AwsWorld) -> None:
    messages = [TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(4)]
    answer(moto.sqs, {"Successful": [{"Id": "0"}, {"Id": "2"}], "Failed": [{"Id": "3"}, {"Id": "1"}]})

    assert sqs.SqsQueue(moto.sqs, "https://queue").send(messages) == (messages[3], messages[1])


def test_the_twin_returns_the_messages_it_is_told_to_refuse_and_takes_them_the_next_time() -> None:
    message, other = (TagImage(ImageRef("shop", key)) for key in ("a.jpg", "b.jpg"))
    queue = MemoryQueue(refuse={message.image})

    assert queue.send([message, other]) == (message,)
    assert queue.send([message]) == ()
    assert list(queue.messages) == [other, message]


@pytest.mark.parametrize("count", [0, 11])
def test_the_twin_takes_no_more_at_once_than_sqs_does(count: int) -> None:
    with pytest.raises(ValueError, match="one call takes 1 to 10 messages"):
        MemoryQueue().send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(count)])


@pytest.mark.parametrize("world", EMULATORS, indirect=True)
def test_a_queue_that_is_not_there_is_no_stack(world: AwsWorld) -> None:
    absent = sqs.SqsQueue(world.sqs, world.queue() + "-of-nobody")

    with pytest.raises(NoStack, match="of-nobody"):
        absent.send([TagImage(ImageRef("shop", "a.jpg"))])
    with pytest.raises(NoStack, match="of-nobody"):
        absent.depth()


def test_a_throttled_queue_is_tried_again_later(moto: AwsWorld) -> None:
    answer(moto.sqs, refusal("RequestThrottled"))

    with pytest.raises(RetryLater, match="RequestThrottled"):
        sqs.SqsQueue(moto.sqs, "https://queue").send([TagImage(ImageRef("shop", "a.jpg"))])
