"""What the loader's commands report: to a person as lines, to a program as one document."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from catalog_loader.compare import GAPS, Standing
from catalog_loader.export_check import ExportComparison, ExportGap
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from catalog_loader.audit import Audit
    from catalog_loader.compare import Versions
    from catalog_loader.console import Document
    from catalog_loader.estimate import Estimate
    from catalog_loader.load import Loaded
    from catalog_loader.redrive import Redriven
    from catalog_loader.send import Sent
    from catalog_loader.status import OutcomeCounts, QueueState, Status
    from pipeline.coverage import Coverage, FolderCoverage
    from pipeline.images import ImageRef

FOLDERS_SHOWN = 5  # for a person, chosen by us; JSON has all
HIDDEN = "are hidden, for five minutes at the most, since somebody has received them"


def load_document(run_id: str, loaded: Loaded, resume_after: ImageRef | None) -> Document:
    """Return the report of a load."""
    return {
        "run_id": run_id,
        "found": loaded.candidates.count,
        "sent": loaded.sent.count,
        "skipped": loaded.candidates.skipped,
        "skipped_by": loaded.candidates.by_reason(),
        "failed": loaded.sent.failed,
        "first_failed": _names(loaded.sent.first_failed),
        "resume_after": None if resume_after is None else str(resume_after),
    }


def load_lines(run_id: str, loaded: Loaded, resume_after: ImageRef | None) -> list[str]:
    """Return the report of a load."""
    return [
        f"run      {run_id}",
        f"found    {loaded.candidates.count:,}",
        f"sent     {loaded.sent.count:,}",
        f"skipped  {_skipped(loaded)}",
        f"failed   {loaded.sent.failed:,}",
        *_more(loaded.sent.first_failed, loaded.sent.failed),
        *_resume(resume_after),
    ]


def rehearsal_document(loaded: Loaded, estimate: Estimate) -> Document:
    """Return the report of a load that sent nothing."""
    return {
        "found": loaded.candidates.count,
        "would_send": loaded.chosen,
        "bytes": loaded.chosen_bytes,
        "skipped": loaded.candidates.skipped,
        "skipped_by": loaded.candidates.by_reason(),
        "estimated_cost_usd": round(estimate.cost_usd, 6),
        "estimated_s": round(estimate.seconds, 1),
        "prices": estimate.prices,
        "resume_after": str(loaded.last_chosen) if loaded.reached_max and loaded.last_chosen else None,
    }


def rehearsal_lines(loaded: Loaded, estimate: Estimate) -> list[str]:
    """Return the report of a load that sent nothing."""
    return [
        f"found        {loaded.candidates.count:,}",
        f"would send   {loaded.chosen:,} ({_size(loaded.chosen_bytes)})",
        f"skipped      {_skipped(loaded)}",
        f"would cost   about {dollars(estimate.cost_usd)} ({estimate.prices})",
        f"would take   about {duration(estimate.seconds)}",
        *_resume(loaded.last_chosen if loaded.reached_max else None),
    ]


def audit_document(audit: Audit, versions: Versions, sent: Sent | None) -> Document:
    """Return the report of an audit."""
    export = audit.export
    offenders = [*audit.offenders.items(), *(export.offenders.items() if export else ())]
    document: Document = {
        **audit.numbers(),
        "skipped": audit.found.skipped,
        "export": export and _export_document(export),
        **({str(gap): export.counts[gap] for gap in ExportGap} if export and export.images else {}),
        "offenders": {str(gap): _names(images) for gap, images in offenders},
        "letter_errors": audit.letter_errors,
        "first_unreadable": [str(item) for item in audit.unreadable.examples],
        "hidden_letters": audit.hidden_letters,
        "unread_letters": audit.unread_letters,
        "current": {"model": versions.model, "taxonomy": versions.taxonomy},
    }
    return document if sent is None else document | {"enqueued": sent.count, "failed": sent.failed}


def audit_lines(audit: Audit, versions: Versions, sent: Sent | None) -> list[str]:
    """Return the report of an audit."""
    lines = []
    for name, count in audit.numbers().items():
        lines += [f"{name:<14} {count:,}", *_offender_lines(name, audit)]
    lines += [*_audit_hints(audit, versions), *_export_lines(audit.export)]
    if sent is not None:
        lines += [f"{'enqueued':<14} {sent.count:,}", f"{'failed':<14} {sent.failed:,}"]
        lines += _more(sent.first_failed, sent.failed)
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
    lines = _more(audit.offenders[name], audit.standings[name])
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
            lines += _more(export.offenders[gap], export.counts[gap])
    return [*lines, "`catalog-tagger export` writes a new one."] if export.has_gap else lines


def redrive_document(redriven: dict[str, Redriven]) -> Document:
    """Return the report of a redrive."""
    parts, numbers = ("redriven", "kept", "failed", "newer"), ("hidden", "unread")
    by_queue = {
        name: {part: getattr(counts_of, part) for part in (*parts, *numbers)} for name, counts_of in redriven.items()
    }
    totals = {part: sum(queue[part].total() for queue in by_queue.values()) for part in parts}
    totals |= {number: sum(queue[number] for queue in by_queue.values()) for number in numbers}
    return {**totals, "queues": by_queue}


def redrive_lines(redriven: dict[str, Redriven]) -> list[str]:
    """Return the report of a redrive."""
    lines = []
    for name, of in redriven.items():
        newer = f", {counts(of.newer)} died since it began" if of.newer else ""
        sent = f"{counts(of.redriven)} sent back, {counts(of.kept)} kept, {counts(of.failed)} failed"
        lines.append(f"{name:<10} {sent}{newer}")
        lines += [f"{'':<10} {of.hidden:,} {HIDDEN}"] if of.hidden else []
        lines += [f"{'':<10} about {of.unread:,} were not read: redrive again"] if of.unread else []
    return lines


def _size(size_bytes: int | None) -> str:
    return "a manifest tells no sizes" if size_bytes is None else f"{size_bytes:,} bytes"


def _skipped(loaded: Loaded) -> str:
    return counts(loaded.candidates.skipped_by)


def _resume(after: ImageRef | None) -> list[str]:
    if after is None:
        return []
    if not str(after).isprintable():
        return ["Stopped. --json says after which image to go on: its name cannot be shown here."]
    return [f"Stopped. Go on with --start-after {shlex.quote(str(after))}"]


def _more(first: Iterable[ImageRef], count: int) -> list[str]:
    named = [f"  {printable(name)}" for name in _names(first)]
    return named if count <= len(named) else [*named, f"  and {count - len(named):,} more"]


def _names(images: Iterable[ImageRef]) -> list[str]:
    return [str(image) for image in images]


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


def counts(by_reason: Counter[str]) -> str:
    """Return the total and its parts, such as ``3 (2 .txt, 1 folder)``."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in by_reason.most_common())
    return f"{by_reason.total():,}" + (f" ({reasons})" if reasons else "")


def duration(seconds: float) -> str:
    """Return the time in the largest unit of which there are two."""
    for unit_s, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:,.1f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:,.0f} seconds"


def dollars(usd: float) -> str:
    """Return the amount in cents, or by its first two digits where it is less than a dollar."""
    if usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}" if usd else "$0"
