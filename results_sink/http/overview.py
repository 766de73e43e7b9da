"""The verb overview: how tagging is, for a page that people look at: queues, ends, the last half hour, rejections."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.errors import RejectReason
from pipeline.http_event import Answer, json_answer
from pipeline.records import RecordStatus, RejectedImage
from pipeline.unreadable import UnreadableItems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipeline.http_event import Request, Route
    from pipeline.ports import Clock, MessageQueue, RecordTable
    from pipeline.records import RecordSummary, Rejection

MOST_ENDS = 50_000  # read for one answer, chosen by us: some 5 MB of the table, which take a second or two
MINUTES = 30  # chosen by us
MOST_OF_A_REASON = 5_000  # counted, chosen by us: a page or two of the index, and a sign of trouble in any case
SHOWN_OF_A_REASON = 10  # chosen by us: of ten reasons together, as many as one BatchGetItem takes
KEPT = timedelta(seconds=30)  # chosen by us: every open page asks each few seconds, and the table answers dearly


@dataclass(frozen=True, slots=True)
class Line:
    """A queue and its dead letters."""

    name: str
    queue: MessageQueue
    dead_letters: MessageQueue


@dataclass
class Overview:
    """Looks at the queues each time, and at the table again when what it said is older than ``KEPT``."""

    table: RecordTable
    lines: Sequence[Line]
    clock: Clock
    most_ends: int = MOST_ENDS
    most_of_a_reason: int = MOST_OF_A_REASON
    _counted: tuple[datetime, dict[str, Any]] | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """Return how tagging is: how many messages each queue holds now, and what the table said at ``counted_at``.

        ``tagged``, ``without_keyword`` and ``gone`` count images; ``by_minute`` says how many ended in each of the last
        minutes, the last one at the end. Of a table with more than ``most_ends`` only a part is counted: ``complete``
        is False, those three are lower bounds, and ``by_minute`` is None, since no part of the table holds just the
        newest. ``rejected`` counts by reason up to ``most_of_a_reason``; ``rejected_complete`` says whether that was
        all. ``rejections`` has the first few of each reason by name, the newest of them first.
        """
        now = self.clock()
        if self._counted is None or now - self._counted[0] >= KEPT:
            self._counted = now, self._count(now)
        return {"queues": [self._queue(line) for line in self.lines], **self._counted[1]}

    def _queue(self, line: Line) -> dict[str, Any]:
        depth, dead = line.queue.depth(), line.dead_letters.depth()
        return {
            "name": line.name,
            "waiting": depth.waiting,
            "in_flight": depth.in_flight,
            "dead_letters": dead.waiting + dead.in_flight,
        }

    def _count(self, now: datetime) -> dict[str, Any]:
        unreadable = UnreadableItems()
        ends = list(islice(unreadable.exclude_from(self.table.summaries()), self.most_ends + 1))
        complete = len(ends) <= self.most_ends
        kinds = Counter(end.kind for end in ends)
        rejected = {
            reason: list(islice(unreadable.exclude_from(self.table.rejected(reason)), self.most_of_a_reason + 1))
            for reason in RejectReason
        }
        many = Counter(
            {str(reason): min(len(found), self.most_of_a_reason) for reason, found in rejected.items() if found}
        )
        return {
            "counted_at": now.isoformat(),
            "complete": complete,
            "tagged": kinds[RecordStatus.TAGGED],
            "without_keyword": sum(end.kind is RecordStatus.TAGGED and not end.has_keyword for end in ends),
            "gone": kinds[RecordStatus.GONE],
            "by_minute": _by_minute(ends, now) if complete else None,
            "rejected": dict(many.most_common()),
            "rejected_complete": all(len(found) <= self.most_of_a_reason for found in rejected.values()),
            "rejections": self._shown([each for found in rejected.values() for each in found[:SHOWN_OF_A_REASON]]),
        }

    def _shown(self, rejections: Sequence[Rejection]) -> list[dict[str, Any]]:
        """Return these rejections as their records tell of them; the index may lag behind those."""
        records = self.table.get_many([each.image for each in rejections]).values()
        shown = [record for record in records if isinstance(record, RejectedImage)]
        return [
            {
                "image": str(record.observation.image),
                "reason": str(record.reason),
                "detail": record.detail,
                "observed_at": record.observation.observed_at.isoformat(),
            }
            for record in sorted(shown, key=lambda record: record.observation.observed_at, reverse=True)
        ]


def _by_minute(ends: Sequence[RecordSummary], now: datetime) -> list[int]:
    ages = [int((now - end.observed_at) / timedelta(minutes=1)) for end in ends]
    counts = Counter(age for age in ages if 0 <= age < MINUTES)
    return [counts[age] for age in reversed(range(MINUTES))]


def make_routes(overview: Overview) -> Mapping[str, Route]:
    """Return what answers the route: GET /status."""

    def status(request: Request) -> Answer:
        del request
        return json_answer(overview.document())

    return {"GET /status": status}
