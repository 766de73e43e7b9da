"""Runs `audit`: compares bucket, records, queues and export, reports, and returns the exit code."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader import report
from catalog_loader.audit import Audit, Auditor
from catalog_loader.commands.load import open_source
from catalog_loader.commands.wait import wait_until_empty
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sender, Sent
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.messages import TagImage
from pipeline.progress import Progress
from pipeline.run_id import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from catalog_loader.compare import Versions
    from catalog_loader.connect import Connect, Connected
    from catalog_loader.console import Console
    from pipeline.exported import OpenedExport


def audit(  # noqa: PLR0913 - one parameter for each option, and the way to the stack
    source: str,
    versions: Versions,
    connect: Connect,
    console: Console,
    *,
    enqueue: bool,
    prefix: str = "",
    wait: bool = False,
    exported: Callable[[], OpenedExport | None] = lambda: None,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Audit, and with ``enqueue`` send what is missing, stale or orphaned; with ``wait`` only once no message waits.

    ``exported`` opens the export that the records below a prefix are compared with, after the wait.

    Raises:
        CallerError: the source is no prefix, manifest or inventory that can be used.
    """
    findings, sent, run_id = Audit(), Sent(), new_run_id(datetime.now(UTC))
    with ExitStack() as opened:
        opened_source = open_source(source, connect, opened, prefix)
        total = opened_source.check() if isinstance(opened_source, Manifest) else None
        ports = connect()
        if wait:
            console.hint("waiting until no message is left")
            wait_until_empty(ports.queues.values(), sleep)
        queues, dead_letters = tuple(ports.queues.values()), tuple(ports.dead_letters.values())
        export = None if isinstance(opened_source, Manifest) else exported()
        auditor = Auditor(ports.images, ports.table, queues, dead_letters, export, sleep)
        with Progress("audit", total=total, unit="images and records", quiet=console.as_json) as progress:
            gaps = auditor.audit(opened_source, versions, findings, progress)
            messages = (TagImage(gap.image, run_id, gap.product) for gap in gaps)
            _follow(messages, ports, sent, console, enqueue=enqueue)
    facts = (findings, versions, sent if enqueue else None)
    console.report(report.audit_document(*facts), report.audit_lines(*facts))
    return ATTENTION if findings.has_gap or sent.failed else DONE


def _follow(messages: Iterable[TagImage], ports: Connected, sent: Sent, console: Console, *, enqueue: bool) -> None:
    """Go through the messages, which is what makes the audit go on, and send them where that is wanted."""
    if not enqueue:
        deque(messages, maxlen=0)
        return
    is_complete = False
    try:
        Sender(ports.backfill).send(messages, sent)
        is_complete = True
    finally:
        if not is_complete:
            console.hint(f"{sent.count:,} messages were sent before it was stopped")
