"""Runs `status`: reads queues and table, once, until stopped or until all is done, and returns the exit code."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader.commands.wait import wait_for_all
from catalog_loader.estimate import Estimator
from catalog_loader.formatting import dollars, duration
from catalog_loader.status import OutcomeCounts, QueueState, Status, count_outcomes, idle_reasons, unfinished_in
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.progress import Progress
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog_loader.connect import Connect, Connected
    from catalog_loader.console import Console, Document
    from pipeline.coverage import Coverage, FolderCoverage

FOLDERS_SHOWN = 5  # for a person, chosen by us; JSON has all
WATCH_EVERY_S = 5.0  # chosen by us: the queues' counts are seconds old anyway
SECOND_READING_S = 2.0  # chosen by us: the time of some batches
SCAN_SHARE = 10  # chosen by us: a watch spends a tenth of its time reading the table


def status(  # noqa: PLR0913 - one parameter for each option, and the way to the stack
    connect: Connect,
    console: Console,
    *,
    watch: bool,
    with_ends: bool,
    wait: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Report how far tagging is: once, until stopped (``watch``), or once nothing is left (``wait``)."""
    ports, estimator, code = connect(), Estimator.load(), DONE
    if wait:
        wait_for_all(ports, console, sleep)
    for state in _statuses(ports, console, with_ends=with_ends, sleep=sleep):
        cost_usd = estimator.estimate(state.ends.total if state.ends else 0).cost_usd
        document = _status_document(state, cost_usd, names=not watch)
        lines = _status_lines(state, cost_usd)
        is_damaged = state.ends is not None and state.ends.unreadable.count > 0
        code = ATTENTION if is_damaged or any(queue.dead_letters for queue in state.queues) else DONE
        if not watch:
            console.report(document, lines)
            break
        console.renew(document, lines)
        sleep(WATCH_EVERY_S)
    return code


@dataclass(frozen=True, slots=True)
class _Sample:
    """The queues as they were at a time of the monotonic clock, in seconds."""

    taken_s: float
    queues: tuple[QueueState, ...]

    @classmethod
    def take(cls, ports: Connected) -> _Sample:
        return cls(time.monotonic(), tuple(queue.state() for queue in ports.watched))


def _statuses(
    ports: Connected, console: Console, *, with_ends: bool, sleep: Callable[[float], object]
) -> Iterator[Status]:
    ends: OutcomeCounts | None = None
    next_scan_s, before = 0.0, None
    while True:
        began_s = time.monotonic()
        rate_per_s = None  # it covers the minute before the table was read: after that, it is out of date
        if with_ends and began_s >= next_scan_s:
            ends = _read_outcomes(ports, console, quiet=before is not None)
            rate_per_s = ends.rate_per_s
            next_scan_s = time.monotonic() + SCAN_SHARE * (time.monotonic() - began_s)
        sample = _Sample.take(ports)
        state = _status(ports, ends, rate_per_s, before, sample)
        # Images that did not change leave no trace in the table, so the queues are read a second time before the
        # operator is told that nothing moves.
        if ends and not before and state.idle_because:
            sleep(SECOND_READING_S)
            before, sample = sample, _Sample.take(ports)
            state = _status(ports, ends, rate_per_s, before, sample)
        before = sample
        yield state


def _read_outcomes(ports: Connected, console: Console, *, quiet: bool) -> OutcomeCounts:
    with Progress("reading the table", unit="records", quiet=quiet or console.as_json) as progress:
        return count_outcomes(progress.over(ports.table.summaries()), datetime.now(UTC))


def _status(
    ports: Connected, ends: OutcomeCounts | None, ended_per_s: float | None, before: _Sample | None, sample: _Sample
) -> Status:
    rate_per_s = _rate_per_s(ended_per_s, before, sample)
    is_idle = rate_per_s == 0 and unfinished_in(sample.queues)
    return Status(sample.queues, ends, rate_per_s, idle_reasons(sample.queues, ports.causes) if is_idle else ())


def _rate_per_s(ended_per_s: float | None, before: _Sample | None, sample: _Sample) -> float | None:
    """Return images per second by the table or by the queues, whichever is more; None if neither tells.

    Queues that grow say nothing of how fast images end, nor that none does.
    """
    drained = unfinished_in(before.queues) - unfinished_in(sample.queues) if before else 0
    if drained < 0:
        return ended_per_s or None
    rates = [] if ended_per_s is None else [ended_per_s]
    if before and sample.taken_s > before.taken_s:
        rates.append(drained / (sample.taken_s - before.taken_s))
    return max(rates, default=None)


def _status_document(status: Status, cost_usd: float, *, names: bool = True) -> Document:
    """Return the report on the queues and the ends; without ``names`` no image is named."""
    ends = status.ends
    return {
        "queues": {
            queue.name: {
                "waiting": queue.waiting,
                "in_flight": queue.in_flight,
                "oldest_s": queue.oldest_s,
                "dead_letters": queue.dead_letters,
            }
            for queue in status.queues
        },
        "ends": ends and {"tagged": ends.tagged, "rejected": dict(ends.rejected), "gone": ends.gone},
        **(ends.unreadable.document() if ends else {}),
        "rate_per_s": None if status.rate_per_s is None else round(status.rate_per_s, 3),
        "left_s": None if status.left_s is None else round(status.left_s, 1),
        "idle_because": list(status.idle_because),
        "coverage": ends and _coverage_document(ends.coverage, names=names),
        "estimated_cost_usd": round(cost_usd, 6) if ends else None,
    }


def _status_lines(status: Status, cost_usd: float) -> list[str]:
    """Return the report on the queues and the ends."""
    heads = f"{'queue':<10}{'waiting':>12}{'in flight':>12}{'oldest':>12}{'dead letters':>14}"
    lines = [heads, *(_queue_line(queue) for queue in status.queues), "", *_movement(status)]
    return lines if status.ends is None else [*lines, "", *_ends_lines(status.ends, cost_usd)]


def _movement(status: Status) -> list[str]:
    if not status.left:
        return ["Nothing waits: every message is done."]
    if status.rate_per_s is None:
        return ["rate      unknown after one reading: use `--watch`, or leave out `--no-ends`"]
    if status.left_s is None:
        left = "1 message is left" if status.left == 1 else f"{status.left:,} messages are left"
        # Only an old message shows that something stands still: after a load, the first batch takes some seconds.
        head = "Nothing finished in the last minute" if status.has_waited else "None is done yet"
        return [f"{head}; {left}", *(f"  {why}" for why in status.idle_because)]
    return [f"rate      {status.rate_per_s:,.1f} images/s, about {duration(status.left_s)} left"]


def _queue_line(queue: QueueState) -> str:
    oldest = "-" if queue.oldest_s is None else duration(queue.oldest_s)
    return f"{queue.name:<10}{queue.waiting:>12,}{queue.in_flight:>12,}{oldest:>12}{queue.dead_letters:>14,}"


def _ends_lines(ends: OutcomeCounts, cost_usd: float) -> list[str]:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in ends.rejected.items())
    rejected = sum(ends.rejected.values())
    return [
        f"tagged    {ends.tagged:,}",
        f"rejected  {rejected:,}" + (f" ({reasons})" if reasons else ""),
        f"gone      {ends.gone:,}",
        *_unreadable_lines(ends),
        f"keywords  {ends.coverage.with_keyword:,} have one, {ends.coverage.share:.1%} of {ends.coverage.images:,}",
        *(
            f"          {folder.with_keyword:,} of {folder.images:,} in {printable(folder.folder)}"
            for folder in _lacking(ends.coverage)
        ),
        f"cost      about {dollars(cost_usd)}, if each was processed once",
    ]


def _unreadable_lines(ends: OutcomeCounts) -> list[str]:
    if not ends.unreadable.count:
        return []
    examples = [f"  {printable(str(item))}" for item in ends.unreadable.examples]
    return [f"unreadable {ends.unreadable.count:,} records cannot be read; RUNBOOK.md says what to do", *examples]


def _lacking(coverage: Coverage) -> list[FolderCoverage]:
    """Return the folders with the most images without a keyword, where there are several folders."""
    folders = coverage.by_folder()
    lacking = [folder for folder in folders if folder.with_keyword < folder.images]
    return lacking[:FOLDERS_SHOWN] if len(folders) > 1 else []


def _coverage_document(coverage: Coverage, *, names: bool) -> Document:
    document = {
        "images": coverage.images,
        "with_keyword": coverage.with_keyword,
        "folders": [asdict(folder) for folder in coverage.by_folder()],
    }
    return {**document, "untagged": coverage.untagged} if names else document
