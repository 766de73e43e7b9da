"""Runs `redrive`: sends dead letters back, reports, and returns the exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader.connect import STREAM, Connect
from catalog_loader.formatting import HIDDEN, counts
from catalog_loader.redrive import Redriven
from catalog_loader.redrive import redrive as redrive_queue
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from catalog_loader.console import Console, Document


def redrive(
    reasons: Collection[str],
    connect: Connect,
    console: Console,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Send dead letters back, and report what was sent, whatever ends it."""
    ports = connect()
    queues = {**ports.dead_letters, STREAM: ports.stream_failures}
    redriven = {name: Redriven() for name in queues}
    try:
        with Progress("redrive", unit="letters", quiet=console.as_json) as progress:
            began_at = clock()
            for name, queue in queues.items():
                redrive_queue(queue, reasons, redriven[name], progress, began_at)
    finally:
        console.report(_redrive_document(redriven), _redrive_lines(redriven))
    return ATTENTION if any(part.wants_attention for part in redriven.values()) else DONE


def _redrive_document(redriven: dict[str, Redriven]) -> Document:
    """Return the report of a redrive."""
    parts, numbers = ("redriven", "kept", "failed", "newer"), ("hidden", "unread")
    by_queue = {
        name: {part: getattr(counts_of, part) for part in (*parts, *numbers)} for name, counts_of in redriven.items()
    }
    totals = {part: sum(queue[part].total() for queue in by_queue.values()) for part in parts}
    totals |= {number: sum(queue[number] for queue in by_queue.values()) for number in numbers}
    return {**totals, "queues": by_queue}


def _redrive_lines(redriven: dict[str, Redriven]) -> list[str]:
    """Return the report of a redrive."""
    lines = []
    for name, of in redriven.items():
        newer = f", {counts(of.newer)} died since it began" if of.newer else ""
        sent = f"{counts(of.redriven)} sent back, {counts(of.kept)} kept, {counts(of.failed)} failed"
        lines.append(f"{name:<10} {sent}{newer}")
        lines += [f"{'':<10} {of.hidden:,} {HIDDEN}"] if of.hidden else []
        lines += [f"{'':<10} about {of.unread:,} were not read: redrive again"] if of.unread else []
    return lines
