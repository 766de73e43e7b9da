"""Says how far tagging is: what waits, what is dead, how the images ended, and whether anything moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.coverage import Coverage
from pipeline.records import RecordStatus
from pipeline.unreadable import UnreadableItems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.ports import DeadLetters, MessageQueue
    from pipeline.records import RecordSummary
    from pipeline.unreadable import UnreadableItem

RECENT = timedelta(seconds=60)  # what the rate is taken over; chosen by us: a batch of fifty takes some seconds
SHORTEST = timedelta(seconds=10)  # chosen by us: what began a second ago tells no rate yet


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue and its dead letters. The age is None where nobody knows it; nothing waiting has none either."""

    name: str
    waiting: int
    in_flight: int
    oldest_s: float | None
    dead_letters: int


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How the images ended so far that have a record, how many a second lately, and how many have a keyword."""

    tagged: int
    rejected: Mapping[str, int]
    gone: int
    rate_per_s: float = 0.0
    coverage: Coverage = field(default_factory=Coverage)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)

    @property
    def total(self) -> int:
        """How many ended."""
        return self.tagged + sum(self.rejected.values()) + self.gone


@dataclass(frozen=True)
class WatchedQueue:
    """A queue, its dead letters, and who knows the age of its oldest message in seconds."""

    name: str
    queue: MessageQueue
    dead_letters: DeadLetters
    oldest_s: Callable[[], float | None]

    def state(self) -> QueueState:
        """Return how it is now, about."""
        depth, dead = self.queue.depth(), self.dead_letters.depth()
        oldest_s = self.oldest_s() if depth.waiting else None
        return QueueState(self.name, depth.waiting, depth.in_flight, oldest_s, dead.waiting + dead.in_flight)


@dataclass(frozen=True, slots=True)
class Status:
    """How far tagging is. ``ends`` and ``rate_per_s`` are None where nobody asked for them, or nobody knows.

    Attributes:
        rate_per_s: images that ended, by their records or by the messages that are no longer there.
        idle_because: where messages are left and nothing moves, why that may be.
    """

    queues: tuple[QueueState, ...]
    ends: OutcomeCounts | None
    rate_per_s: float | None = None
    idle_because: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many messages have not come to their end, and are not dead."""
        return left_in(self.queues)

    @property
    def left_s(self) -> float | None:
        """How long that takes at this rate, or None where nobody knows."""
        return self.left / self.rate_per_s if self.rate_per_s else None


def left_in(queues: Iterable[QueueState]) -> int:
    """Return how many messages wait or are being worked on."""
    return sum(queue.waiting + queue.in_flight for queue in queues)


def ends_of(recorded: Iterable[RecordSummary | UnreadableItem], now: datetime) -> OutcomeCounts:
    """Return how the images ended. What ended after ``now``, while the table was read, tells nothing of the rate."""
    kinds: Counter[RecordStatus] = Counter()
    rejected: Counter[str] = Counter()
    coverage, recent, first = Coverage(), 0, now
    unreadable = UnreadableItems()
    for end in unreadable.exclude_from(recorded):
        kinds[end.kind] += 1
        if end.reason is not None:
            rejected[str(end.reason)] += 1
        if end.kind in {RecordStatus.TAGGED, RecordStatus.REJECTED}:
            coverage.add(str(end.image), has_keyword=end.has_keyword)
        if now - RECENT < end.observed_at <= now:
            recent, first = recent + 1, min(first, end.observed_at)
    # DECISIONS.md, 20
    rate_per_s = recent / max(now - first, SHORTEST).total_seconds()
    return OutcomeCounts(
        kinds[RecordStatus.TAGGED],
        dict(rejected.most_common()),
        kinds[RecordStatus.GONE],
        rate_per_s,
        coverage,
        unreadable,
    )


def idle_reasons(queues: Iterable[QueueState], causes: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """Return why messages are left and nothing moves, as far as can be seen. ``causes`` asks its set-up."""
    found = tuple(causes())
    if found:
        return found
    in_flight = sum(queue.in_flight for queue in queues)
    if not in_flight:
        return ("the function takes none of them; its log and its throttles say why",)
    return (f"{in_flight:,} are taken: looked at for the first time, or failed and waiting for their next try",)
