"""How far tagging is: what waits, what is dead, the outcomes so far, and whether anything moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.coverage import Coverage
from pipeline.records import RecordStatus, RecordSummary
from pipeline.unreadable import UnreadableItem, UnreadableItems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.ports import DeadLetters, MessageQueue

RECENT = timedelta(seconds=60)  # the rate covers this; chosen by us: a batch of fifty takes some seconds
SHORTEST = timedelta(seconds=10)  # chosen by us: a second is too short for a rate


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
    """The outcomes of all recorded images, how many were recorded a second lately, and how many have a keyword."""

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
        """How many messages are neither done nor dead."""
        return unfinished_in(self.queues)

    @property
    def has_waited(self) -> bool:
        """Whether a message is known to have waited for longer than the rate covers."""
        return any((queue.oldest_s or 0) > RECENT.total_seconds() for queue in self.queues)

    @property
    def left_s(self) -> float | None:
        """How many seconds they take at this rate; None if the rate is unknown."""
        return self.left / self.rate_per_s if self.rate_per_s else None


def unfinished_in(queues: Iterable[QueueState]) -> int:
    """Return how many messages wait or are being worked on."""
    return sum(queue.waiting + queue.in_flight for queue in queues)


def count_outcomes(summaries: Iterable[RecordSummary | UnreadableItem], read_at: datetime) -> OutcomeCounts:
    """Count the outcomes. What was recorded after ``read_at``, while the table was read, does not enter the rate."""
    kinds: Counter[RecordStatus] = Counter()
    rejected: Counter[str] = Counter()
    coverage, recent, first = Coverage(), 0, read_at
    unreadable = UnreadableItems()
    for summary in unreadable.exclude_from(summaries):
        kinds[summary.kind] += 1
        if summary.reason is not None:
            rejected[str(summary.reason)] += 1
        if summary.kind in {RecordStatus.TAGGED, RecordStatus.REJECTED}:
            coverage.add(str(summary.image), has_keyword=summary.has_keyword)
        if read_at - RECENT < summary.observed_at <= read_at:
            recent, first = recent + 1, min(first, summary.observed_at)
    # DECISIONS.md, 20: records tell the rate at once, with one call of the command, on AWS and locally.
    rate_per_s = recent / max(read_at - first, SHORTEST).total_seconds()
    return OutcomeCounts(
        kinds[RecordStatus.TAGGED],
        dict(rejected.most_common()),
        kinds[RecordStatus.GONE],
        rate_per_s,
        coverage,
        unreadable,
    )


def idle_reasons(queues: Iterable[QueueState], causes: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """Return why messages are left and nothing moves, as far as can be seen. ``causes`` reads the set-up."""
    reasons = tuple(causes())
    if reasons:
        return reasons
    in_flight = sum(queue.in_flight for queue in queues)
    if not in_flight:
        return ("the function takes the first some seconds after a load; if that lasts, see its log and its throttles",)
    return (
        f"{in_flight:,} are with the function: in their first batch, or waiting for their next try after a failure",
    )
