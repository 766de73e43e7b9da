"""Runs `audit`: compares bucket, records, queues and export, reports, and returns the exit code."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader import report
from catalog_loader.audit import Audit, Auditor
from catalog_loader.commands.exit_codes import ATTENTION, DONE
from catalog_loader.commands.load import open_source
from catalog_loader.commands.wait import wait_until_empty
from catalog_loader.inventory import is_inventory
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sender, Sent
from pipeline.errors import CallerError
from pipeline.messages import TagImage
from pipeline.progress import Progress
from pipeline.run_id import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from catalog_loader.candidates import Candidate
    from catalog_loader.commands.load import Connect
    from catalog_loader.compare import Versions
    from catalog_loader.connect import Connected
    from catalog_loader.console import Console
    from pipeline.exported import OpenedExport
    from pipeline.images import BucketPrefix


def audit(  # noqa: PLR0913 - one parameter for each option, and the way to the stack
    source: str,
    versions: Versions,
    connect: Connect,
    console: Console,
    *,
    enqueue: bool,
    wait: bool = False,
    exported: Callable[[], OpenedExport | None] = lambda: None,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Audit, and with ``enqueue`` send what is missing, stale or orphaned; with ``wait`` only once no message waits.

    ``exported`` opens the export that the records below a prefix are compared with, after the wait.

    Raises:
        CallerError: the source is neither a prefix nor a manifest that can be used.
    """
    findings, sent = Audit(), Sent()
    with ExitStack() as opened:
        place, total = _open(source, opened)
        ports = connect()
        if wait:
            console.hint("waiting until no message is left")
            wait_until_empty(ports.queues.values(), sleep)
        queues, dead_letters = tuple(ports.queues.values()), tuple(ports.dead_letters.values())
        export = None if isinstance(place, Manifest) else exported()
        auditor = Auditor(ports.images, ports.table, queues, dead_letters, export, sleep)
        unit = "images" if isinstance(place, Manifest) else "images and records"
        with Progress("audit", total=total, unit=unit, quiet=console.as_json) as progress:
            messages = _messages(auditor.audit(place, versions, findings, progress))
            if enqueue:
                _enqueue(messages, ports, sent, console)
            else:
                deque(messages, maxlen=0)
    facts = (findings, versions, sent if enqueue else None)
    console.report(report.audit_document(*facts), report.audit_lines(*facts))
    return ATTENTION if findings.has_gap or sent.failed else DONE


def _open(source: str, opened: ExitStack) -> tuple[BucketPrefix | Manifest, int | None]:
    """Return what is audited, and how many images it names where that is known."""
    if is_inventory(source):
        raise CallerError(f"{source} is an inventory, which is of some time ago; audit the bucket, s3://bucket/prefix")
    place = open_source(source, opened)
    return place, place.check() if isinstance(place, Manifest) else None


def _messages(gaps: Iterable[Candidate]) -> Iterator[TagImage]:
    run_id = new_run_id(datetime.now(UTC))
    return (TagImage(gap.image, run_id, gap.product) for gap in gaps)


def _enqueue(messages: Iterable[TagImage], ports: Connected, sent: Sent, console: Console) -> None:
    is_complete = False
    try:
        Sender(ports.backfill).send(messages, sent)
        is_complete = True
    finally:
        if not is_complete:
            console.hint(f"{sent.count:,} messages were sent before it was stopped")
