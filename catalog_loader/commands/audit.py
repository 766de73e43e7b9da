"""Runs `audit`: compares bucket, records, queues and export, reports, and returns the exit code."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog_loader.audit import Audit, Auditor
from catalog_loader.commands.load import open_source
from catalog_loader.commands.wait import wait_until_empty
from catalog_loader.compare import GAPS, Standing
from catalog_loader.export_check import ExportComparison, ExportGap
from catalog_loader.formatting import HIDDEN, name_lines, names_of
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sender, Sent
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.messages import TagImage
from pipeline.progress import Progress
from pipeline.run_id import new_run_id
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from catalog_loader.compare import Versions
    from catalog_loader.connect import Connect, Connected
    from catalog_loader.console import Console, Document
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
    console.report(_audit_document(*facts), _audit_lines(*facts))
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


def _audit_document(audit: Audit, versions: Versions, sent: Sent | None) -> Document:
    """Return the report of an audit."""
    export = audit.export
    offenders = [*audit.offenders.items(), *(export.offenders.items() if export else ())]
    document: Document = {
        **audit.numbers(),
        "skipped": audit.found.skipped,
        "export": export and _export_document(export),
        **({str(gap): export.counts[gap] for gap in ExportGap} if export and export.images else {}),
        "offenders": {str(gap): names_of(images) for gap, images in offenders},
        "letter_errors": audit.letter_errors,
        "first_unreadable": [str(item) for item in audit.unreadable.examples],
        "hidden_letters": audit.hidden_letters,
        "unread_letters": audit.unread_letters,
        "current": {"model": versions.model, "taxonomy": versions.taxonomy},
    }
    return document if sent is None else document | {"enqueued": sent.count, "failed": sent.failed}


def _audit_lines(audit: Audit, versions: Versions, sent: Sent | None) -> list[str]:
    """Return the report of an audit."""
    lines = []
    for name, count in audit.numbers().items():
        lines += [f"{name:<14} {count:,}", *_offender_lines(name, audit)]
    lines += [*_audit_hints(audit, versions), *_export_lines(audit.export)]
    if sent is not None:
        lines += [f"{'enqueued':<14} {sent.count:,}", f"{'failed':<14} {sent.failed:,}"]
        lines += name_lines(sent.first_failed, sent.failed)
    return lines


def _audit_hints(audit: Audit, versions: Versions) -> list[str]:
    """Return what explains the numbers, and what to do about them."""
    lines = []
    if audit.waiting and (audit.standings[Standing.MISSING] or audit.standings[Standing.STALE]):
        lines.append("Messages wait: what is missing or stale may be among them. `--wait` waits for them.")
    if audit.numbers()[Standing.DEAD_LETTERED]:
        lines.append("`catalog-tagger redrive` sends dead letters back.")
    if audit.hidden_letters:
        lines.append(f"{audit.hidden_letters:,} dead letters {HIDDEN}: audit again then.")
    if audit.unread_letters:
        lines.append(
            f"About {audit.unread_letters:,} dead letters were not read: what they ask for counts as missing or stale."
        )
    if audit.standings[Standing.ABSENT]:
        lines.append("Absent is what the manifest names and no bucket holds: correct the manifest, or upload it.")
    return [*lines, *_stale_hints(audit, versions)]


def _stale_hints(audit: Audit, versions: Versions) -> list[str]:
    if not audit.standings[Standing.STALE]:
        return []
    model, taxonomy = versions.model or "any", versions.taxonomy or "any"
    return [f"Stale is also what is not of the model {model} and the taxonomy {taxonomy}."]


def _offender_lines(name: str, audit: Audit) -> list[str]:
    if name not in GAPS:
        return []
    if name == Standing.UNREADABLE:
        return [f"  {printable(str(item))}" for item in audit.unreadable.examples]
    lines = name_lines(audit.offenders[name], audit.standings[name])
    if name == Standing.DEAD_LETTERED and audit.unreadable_letters:
        lines.append(f"  {audit.unreadable_letters:,} that cannot be read")
        lines += [f"    {printable(error)}" for error in audit.letter_errors]
    return lines


def _export_document(export: ExportComparison) -> Document:
    return {
        "as_of": export.as_of and export.as_of.isoformat(),
        "newer": export.newer,
        "search_is_down": export.search_is_down,
        "damages": [f"{damage.file} {damage.problem}" for damage in export.damages],
    }


def _export_lines(export: ExportComparison | None) -> list[str]:
    if export is None:
        return ["", "No export was compared with the records."]
    lines = ["", *(["SEARCH IS DOWN"] if export.search_is_down else [])]
    lines += [f"{damage.file} {damage.problem}" for damage in export.damages]
    if export.as_of is None:
        compared = "The export cannot be read." if export.damages else "Nothing was exported yet: there is no search."
        lines.append(f"{compared} No record was compared with it.")
    else:
        newer = f"{export.newer:,} images were observed since"
        lines.append(f"export as of {export.as_of:%Y-%m-%d %H:%M:%S} UTC, {newer}")
        for gap in ExportGap:
            lines.append(f"{gap:<16} {export.counts[gap]:,}")
            lines += name_lines(export.offenders[gap], export.counts[gap])
    return [*lines, "`catalog-tagger export` writes a new one."] if export.has_gap else lines
