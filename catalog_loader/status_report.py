"""The report of `status`: lines for a person, one document for a program."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from catalog_loader.formatting import dollars, duration
from pipeline.terminal import printable

if TYPE_CHECKING:
    from catalog_loader.console import Document
    from catalog_loader.status import OutcomeCounts, QueueState, Status
    from pipeline.coverage import Coverage, FolderCoverage

FOLDERS_SHOWN = 5  # for a person, chosen by us; JSON has all


def status_document(status: Status, cost_usd: float, *, names: bool = True) -> Document:
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


def status_lines(status: Status, cost_usd: float) -> list[str]:
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
