"""The verb overview: how tagging is, for a page that people look at: queues, ends, the last half hour, rejections."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.http_event import Answer, json_answer
from pipeline.records import EndKind, RejectedImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.http_event import Request, Route
    from pipeline.ports import Clock, MessageQueue, RecordTable
    from pipeline.records import RecordedEnd

MOST_ENDS = 50_000  # read for one answer, chosen by us: some 5 MB of the table, which take a second or two
MINUTES = 30  # chosen by us
REJECTED_SHOWN = 60  # the newest, chosen by us


@dataclass(frozen=True, slots=True)
class Line:
    """A queue and its dead letters."""

    name: str
    queue: MessageQueue
    dead_letters: MessageQueue


@dataclass(frozen=True)
class Overview:
    """Looks at the queues and the table."""

    table: RecordTable
    lines: Sequence[Line]
    clock: Clock

    def document(self) -> dict[str, Any]:
        """Return how tagging is. Of a large table only a part is counted, and the answer says so."""
        ends = list(islice(self.table.ends(), MOST_ENDS + 1))
        complete, ends = len(ends) <= MOST_ENDS, ends[:MOST_ENDS]
        kinds = Counter(end.kind for end in ends)
        return {
            "queues": [self._queue(line) for line in self.lines],
            "tagged": kinds[EndKind.TAGGED],
            "without_keyword": sum(end.kind is EndKind.TAGGED and not end.has_keyword for end in ends),
            "rejected": dict(Counter(str(end.reason) for end in ends if end.reason).most_common()),
            "gone": kinds[EndKind.GONE],
            "complete": complete,
            "by_minute": self._by_minute(ends),
            "rejections": self._rejections(ends),
        }

    def _queue(self, line: Line) -> dict[str, Any]:
        depth, dead = line.queue.depth(), line.dead_letters.depth()
        return {
            "name": line.name,
            "waiting": depth.waiting,
            "in_flight": depth.in_flight,
            "dead_letters": dead.waiting + dead.in_flight,
        }

    def _by_minute(self, ends: Sequence[RecordedEnd]) -> list[int]:
        """Return how many images ended in each of the last minutes, the last one at the end."""
        now = self.clock()
        ages = [int((now - end.looked_at) / timedelta(minutes=1)) for end in ends]
        counts = Counter(age for age in ages if 0 <= age < MINUTES)
        return [counts[age] for age in reversed(range(MINUTES))]

    def _rejections(self, ends: Sequence[RecordedEnd]) -> list[dict[str, Any]]:
        rejected = sorted((end for end in ends if end.reason), key=lambda end: end.looked_at, reverse=True)
        records = self.table.get_many([end.image for end in rejected[:REJECTED_SHOWN]]).values()
        shown = [record for record in records if isinstance(record, RejectedImage)]
        return [
            {
                "image": str(record.look.image),
                "reason": str(record.reason),
                "detail": record.detail,
                "looked_at": record.look.looked_at.isoformat(),
            }
            for record in sorted(shown, key=lambda record: record.look.looked_at, reverse=True)
        ]


def make_routes(overview: Overview) -> Mapping[str, Route]:
    """Return what answers the route: GET /status."""

    def status(request: Request) -> Answer:
        del request
        return json_answer(overview.document())

    return {"GET /status": status}
