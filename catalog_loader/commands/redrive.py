"""Runs `redrive`: sends dead letters back, reports, and returns the exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader import report
from catalog_loader.connect import STREAM, Connect
from catalog_loader.redrive import Redriven
from catalog_loader.redrive import redrive as redrive_queue
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from catalog_loader.console import Console


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
        console.report(report.redrive_document(redriven), report.redrive_lines(redriven))
    return ATTENTION if any(part.wants_attention for part in redriven.values()) else DONE
