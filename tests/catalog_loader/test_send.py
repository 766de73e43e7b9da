"""Sending: ten a call, tried again, nothing lost silently, and flat memory however large the catalogue is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from catalog_loader.send import GIVE_UP_BATCHES, WAITS_S, Sender, Sent, ThrottledQueue
from pipeline.errors import Denied, RetryLater
from pipeline.images import ImageRef
from pipeline.memory.queue import MemoryQueue
from pipeline.messages import TagImage
from pipeline.ports import QueueDepth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.ports import MessageQueue


def messages(count: int) -> Iterator[TagImage]:
    """Yield so many messages."""
    return (TagImage(ImageRef("shop", f"{at:07}.jpg"), "run-1") for at in range(count))


def sent_by(queue: MessageQueue, asked: Iterable[TagImage], waits_s: list[float] | None = None) -> Sent:
    """Send the messages, without any waiting, and return the counts."""
    sent = Sent()
    waited = [] if waits_s is None else waits_s
    Sender(queue, sleep=lambda wait_s: bool(waited.append(wait_s))).send(asked, sent)
    return sent


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3), (1000, 100)])
def test_ten_messages_are_one_call(count: int, calls: int) -> None:
    queue = MemoryQueue()

    sent = sent_by(queue, messages(count))

    assert (sent.count, sent.failed, queue.calls) == (count, 0, calls)
    assert len(set(queue.messages)) == count


def test_what_was_not_taken_is_sent_again_alone() -> None:
    refused = {ImageRef("shop", "0000003.jpg"), ImageRef("shop", "0000007.jpg")}
    queue = MemoryQueue(refuse=set(refused))

    sent = sent_by(queue, messages(10))

    assert (sent.count, sent.failed, queue.calls) == (10, 0, 2)
    assert [message.image for message in queue.messages][-2:] == sorted(refused)


@dataclass
class StubbornQueue(MemoryQueue):
    """A queue that never takes certain images, and fails so many calls."""

    never: set[str] = field(default_factory=set)
    failing_calls: int = 0

    def send(self, asked: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Take what is not refused."""
        if self.failing_calls:
            self.failing_calls -= 1
            raise RetryLater("throttled")
        refused = tuple(message for message in asked if message.image.key in self.never)
        taken = [message for message in asked if message not in refused]
        if taken:
            super().send(taken)
        return refused


def test_a_call_that_failed_is_made_again_after_longer_and_longer_waits() -> None:
    waits_s: list[float] = []
    queue = StubbornQueue(failing_calls=3)

    sent = sent_by(queue, messages(10), waits_s)

    assert (sent.count, sent.failed) == (10, 0)
    assert waits_s == list(WAITS_S[:3])


def test_what_is_never_taken_is_counted_and_the_first_of_them_are_named() -> None:
    never = {f"{at:07}.jpg" for at in range(0, 120, 10)}
    waits_s: list[float] = []
    queue = StubbornQueue(never=never)

    sent = sent_by(queue, messages(120), waits_s)

    assert (sent.count, sent.failed) == (108, 12)
    assert [image.key for image in sent.first_failed] == sorted(never)[:10]
    assert len(waits_s) == 12 * len(WAITS_S)
    assert len(queue.messages) == 108


def test_a_queue_that_takes_nothing_any_more_ends_it_and_says_where_it_was() -> None:
    never = {f"{at:07}.jpg" for at in range(30, 10_000)}

    sent = Sent()
    sender = Sender(StubbornQueue(never=never), sleep=lambda _: False, ahead=4)
    with pytest.raises(RetryLater, match="took nothing of 50 batches in a row"):
        sender.send(messages(10_000), sent)

    assert (sent.count, sent.failed) == (30, 10 * GIVE_UP_BATCHES)
    assert sent.last == ImageRef("shop", "0000029.jpg")


def test_a_queue_that_is_not_ours_ends_it_at_once() -> None:
    class ForbiddenQueue(MemoryQueue):
        def send(self, asked: Sequence[TagImage]) -> tuple[TagImage, ...]:
            raise Denied("the queue: AWS answers AccessDenied")

    with pytest.raises(Denied):
        sent_by(ForbiddenQueue(), messages(100_000))


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_catalogue(count: int) -> None:
    """The catalogue is a generator and the queue forgets: what is alive is what was made and is not yet sent."""
    lock = threading.Lock()
    made = gone = most_alive = 0

    def counted() -> Iterator[TagImage]:
        nonlocal made, most_alive
        for message in messages(count):
            with lock:
                made += 1
                most_alive = max(most_alive, made - gone)
            yield message

    class ForgetfulQueue(MemoryQueue):
        def send(self, asked: Sequence[TagImage]) -> tuple[TagImage, ...]:
            nonlocal gone
            with lock:
                gone += len(asked)
            return ()

    sender = Sender(ForgetfulQueue())
    sent = Sent()
    sender.send(counted(), sent)

    assert sent.count == count
    assert most_alive <= (sender.ahead + 1) * 10


# ---- throttling ------------------------------------------------------------------------------------------------------


@dataclass
class DrainingQueue(MemoryQueue):
    """A queue of which so many messages are taken while the sender waits. ``most`` is how many ever waited."""

    drained_a_wait: int = 0
    waiting: int = 0
    most: int = 0

    def send(self, asked: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Count what waits."""
        self.waiting += len(asked)
        self.most = max(self.most, self.waiting)
        return ()

    def depth(self) -> QueueDepth:
        """Return what waits."""
        return QueueDepth(self.waiting, in_flight=0)

    def drain(self, _: float) -> bool:
        """Let time pass."""
        self.waiting = max(0, self.waiting - self.drained_a_wait)
        return False


@pytest.mark.parametrize("max_waiting", [1, 10, 95, 1000])
def test_no_more_is_sent_than_may_wait(max_waiting: int) -> None:
    queue = DrainingQueue(drained_a_wait=30)
    sender = Sender(queue, at_once=1, sleep=queue.drain).throttled(max_waiting)
    sent = Sent()

    sender.send(messages(2000), sent)

    assert sent.count == 2000
    assert queue.most < max_waiting + 10


def test_while_there_is_room_the_depth_is_not_asked_for_every_batch() -> None:
    asked = 0

    class Asked(MemoryQueue):
        def depth(self) -> QueueDepth:
            nonlocal asked
            asked += 1
            return super().depth()

    throttled = ThrottledQueue(Asked(), 1000, lambda _: False)
    for _ in range(100):
        throttled.send(list(messages(10)))

    assert asked == 1
    assert throttled.depth().waiting == 1000


def test_a_stop_ends_the_wait_for_room() -> None:
    queue = DrainingQueue(waiting=100)
    sender = Sender(queue, at_once=2, ahead=4).throttled(10)

    def interrupted() -> Iterator[TagImage]:
        yield from messages(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sender.send(interrupted(), Sent())

    assert queue.waiting == 100
