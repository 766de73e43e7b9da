"""The route for the status of tagging: queues, outcomes, the last half hour, and rejected images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from pipeline.http import catalogue as answers
from pipeline.http.resolver import Resolver, Tag
from pipeline.ports import Clock, MessageQueue, RecordTable
from pipeline.records import RecordStatus, RecordSummary, RejectedImage, Rejection
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItems

MAX_SUMMARIES = 50_000  # read for one answer, chosen by us: some 5 MB of the table, in a second or two
MINUTES = 30  # chosen by us
MAX_OF_A_REASON = 5_000  # counted, chosen by us: a page or two of the index, and clearly trouble
SHOWN_OF_A_REASON = 10  # chosen by us: for ten reasons, as many as one BatchGetItem takes
COUNT_AGE = timedelta(seconds=30)  # chosen by us: every open page polls every few seconds, and a scan costs money


@dataclass(frozen=True, slots=True)
class TaggingQueue:
    """A queue and its dead letters."""

    name: str
    queue: MessageQueue
    dead_letters: MessageQueue


@dataclass
class TaggingStatus:
    """Reads the queues each time, and counts the table again once its counts are older than ``COUNT_AGE``."""

    table: RecordTable
    queues: Sequence[TaggingQueue]
    clock: Clock
    max_summaries: int = MAX_SUMMARIES
    max_of_a_reason: int = MAX_OF_A_REASON
    _counted: tuple[datetime, dict[str, Any]] | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """Return the status of tagging: messages in each queue now, and counts of the table at ``counted_at``.

        ``tagged``, ``without_keyword`` and ``gone`` count images; ``by_minute`` counts the images of each of the last
        minutes, the latest last. A table with more than ``max_summaries`` is counted in part: then ``complete`` is
        False, those three are lower bounds, and ``by_minute`` is None, since no part of the table holds just the
        newest. ``rejected`` counts by reason up to ``max_of_a_reason``; ``rejected_complete`` is whether that was all.
        ``rejections`` has the first few of each reason by name, the newest of them first.
        """
        now = self.clock()
        if self._counted is None or now - self._counted[0] >= COUNT_AGE:
            self._counted = now, self._count(now)
        return {"queues": [_depth(queue) for queue in self.queues], **self._counted[1]}

    def _count(self, now: datetime) -> dict[str, Any]:
        unreadable = UnreadableItems()
        summaries = list(islice(unreadable.exclude_from(self.table.summaries()), self.max_summaries + 1))
        complete = len(summaries) <= self.max_summaries
        kinds = Counter(summary.kind for summary in summaries)
        rejected = {
            reason: list(islice(unreadable.exclude_from(self.table.rejected(reason)), self.max_of_a_reason + 1))
            for reason in RejectReason
        }
        counts = Counter(
            {str(reason): min(len(images), self.max_of_a_reason) for reason, images in rejected.items() if images}
        )
        first = [rejection for images in rejected.values() for rejection in images[:SHOWN_OF_A_REASON]]
        return {
            "counted_at": now.isoformat(),
            "complete": complete,
            "tagged": kinds[RecordStatus.TAGGED],
            "without_keyword": sum(
                summary.kind is RecordStatus.TAGGED and not summary.has_keyword for summary in summaries
            ),
            "gone": kinds[RecordStatus.GONE],
            "by_minute": _by_minute(summaries, now) if complete else None,
            "rejected": dict(counts.most_common()),
            "rejected_complete": all(len(images) <= self.max_of_a_reason for images in rejected.values()),
            "rejections": self._rejection_documents(first),
        }

    def _rejection_documents(self, rejections: Sequence[Rejection]) -> list[dict[str, Any]]:
        """Return these rejections from their records, as the index may lag behind."""
        records = self.table.get_many([rejection.image for rejection in rejections]).values()
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


def _depth(tagging: TaggingQueue) -> dict[str, Any]:
    depth, dead = tagging.queue.depth(), tagging.dead_letters.depth()
    return {
        "name": tagging.name,
        "waiting": depth.waiting,
        "in_flight": depth.in_flight,
        "dead_letters": dead.waiting + dead.in_flight,
    }


def _by_minute(summaries: Sequence[RecordSummary], until: datetime) -> list[int]:
    ages = [int((until - summary.observed_at) / timedelta(minutes=1)) for summary in summaries]
    counts = Counter(age for age in ages if 0 <= age < MINUTES)
    return [counts[age] for age in reversed(range(MINUTES))]


def add_routes(app: Resolver, tagging: TaggingStatus) -> None:
    """Add the route GET /status."""

    @app.operation("GET", "/status", tag=Tag.OPERATE)
    def status() -> answers.Status:
        """Return how tagging is: queues, counts of outcomes, and the latest rejected images."""
        return answers.Status.model_validate(tagging.document())
