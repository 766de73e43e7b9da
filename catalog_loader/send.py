"""Sends messages: in batches of ten, several in flight, and none lost silently."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain, islice
from threading import Event, Lock
from typing import TYPE_CHECKING

from pipeline.batches import batched
from pipeline.errors import RetryLater
from pipeline.ordered_map import map_in_order
from pipeline.ports import SEND_BATCH, MessageQueue, Probe, QueueDepth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.images import ImageRef
    from pipeline.messages import TagImage

    Batch = Sequence[TagImage]

AT_ONCE = 16  # batches on their way at the same time; chosen by us: hides SQS's 10 to 20 ms an answer
AHEAD = 200  # batches taken and not yet answered for; chosen by us: two pages of a listing, so that neither side waits
WAITS_S = (0.2, 0.4, 0.8, 1.6, 3.2)  # before each further try; chosen by us: six seconds, longer than a throttle lasts
OFFENDERS = 10  # of each kind are named in reports; chosen by us: enough to see what they have in common
CHECK_S = 2.0  # between two looks at a full queue; chosen by us: its counts are seconds old anyway
GIVE_UP_BATCHES = 50  # batches in a row of which nothing was taken; chosen by us: then the queue itself is at fault


@dataclass
class Sent:
    """Counts what was sent and what was not, and knows behind which image to go on after a stop."""

    count: int = 0
    failed: int = 0
    first_failed: list[ImageRef] = field(default_factory=list)
    last: ImageRef | None = None
    _barren: int = 0

    def add(self, batch: Batch, refused: Batch) -> None:
        """Count a batch of which these were not taken.

        Raises:
            RetryLater: nothing was taken of many batches in a row, this one included.
        """
        self.count += len(batch) - len(refused)
        self.failed += len(refused)
        self.first_failed += [message.image for message in refused[: OFFENDERS - len(self.first_failed)]]
        self._barren = self._barren + 1 if len(refused) == len(batch) else 0
        if not self._barren:
            self.last = batch[-1].image
        if self._barren == GIVE_UP_BATCHES:
            raise RetryLater(f"the queue took nothing of {self._barren:,} batches in a row")


@dataclass(frozen=True)
class Sender:
    """Sends messages to a queue. ``ahead`` bounds the memory: batches that were taken and are not answered for.

    ``stopping`` ends every wait. ``sleep`` waits that many seconds and says whether it is over. ``probe`` checks the
    first message before any is sent.
    """

    queue: MessageQueue
    at_once: int = AT_ONCE
    ahead: int = AHEAD
    stopping: Event = field(default_factory=Event)
    sleep: Callable[[float], bool] | None = None
    probe: Probe | None = None

    def send(self, messages: Iterable[TagImage], sent: Sent) -> None:
        """Send every message, or count it as failed in ``sent``.

        Raises:
            RetryLater: the queue takes nothing any more.
            Denied: the queue is not ours to write to, or the photo not the function's to read.
            NoStack: there is no such queue.
        """
        waiting = iter(messages)
        first = list(islice(waiting, 1))
        if first and self.probe is not None:
            self.probe.check(first[0])
        answers = map_in_order(
            self._send,
            batched(chain(first, waiting), SEND_BATCH),
            at_once=self.at_once,
            ahead=self.ahead,
            on_stop=self.stopping.set,
        )
        for batch, refused in answers:
            sent.add(batch, refused)

    def throttled(self, max_waiting: int) -> Sender:
        """Return a sender that waits while about so many messages wait in the queue."""
        return replace(self, queue=ThrottledQueue(self.queue, max_waiting, self._wait))

    def _send(self, batch: Batch) -> tuple[Batch, Batch]:
        left = self._try(batch)
        for wait_s in WAITS_S:
            if not left or self._wait(wait_s):
                break
            left = self._try(left)
        return batch, left

    def _try(self, batch: Batch) -> Batch:
        try:
            return self.queue.send(batch)
        except RetryLater:
            return batch

    def _wait(self, seconds: float) -> bool:
        return (self.sleep or self.stopping.wait)(seconds)


@dataclass
class ThrottledQueue:
    """A queue that takes messages while fewer than ``max_waiting`` wait in it, and else makes the sender wait.

    What several senders have on their way when it fills up is not counted: that many more may come to wait.
    """

    queue: MessageQueue
    max_waiting: int
    sleep: Callable[[float], bool]
    _room: int = 0
    _lock: Lock = field(default_factory=Lock)

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages when there is room.

        Raises:
            RetryLater: the whole call failed, or the wait was broken off.
        """
        with self._lock:
            while self._room <= 0:
                self._room = self.max_waiting - self.queue.depth().waiting
                if self._room <= 0 and self.sleep(CHECK_S):
                    raise RetryLater("stopped while the queue was full")
            self._room -= len(messages)
        return self.queue.send(messages)

    def depth(self) -> QueueDepth:
        """Return the depth of the queue behind."""
        return self.queue.depth()
