"""What the loader's commands say when they are done: for a person as lines, for a program as one document."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from catalog_loader.audit import Audit, Gap
from catalog_loader.compare import Standing, Versions
from catalog_loader.export_check import ExportComparison, ExportGap
from catalog_loader.formatting import counts, dollars, duration
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog_loader.console import Document
    from catalog_loader.estimate import Estimate
    from catalog_loader.load import Loaded
    from catalog_loader.redrive import Redriven
    from catalog_loader.send import Sent
    from pipeline.images import ImageRef

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
    if audit.waiting and (audit.standings[Gap.MISSING] or audit.standings[Gap.STALE]):
        lines.append("Messages wait: what is missing or stale may be among them. `--wait` waits for them.")
    if audit.numbers()[Gap.DEAD_LETTERED]:
        lines.append("`catalog-tagger redrive` sends dead letters back.")
    if audit.hidden_letters:
        lines.append(f"{audit.hidden_letters:,} dead letters {HIDDEN}: audit again then.")
    if audit.unread_letters:
        lines.append(
            f"About {audit.unread_letters:,} dead letters were not read: what they ask for counts as missing or stale."
        )
    if audit.standings[Gap.ABSENT]:
        lines.append("Absent is what the manifest names and no bucket holds: correct the manifest, or upload it.")
    return [*lines, *_stale_hints(audit, versions)]


def _stale_hints(audit: Audit, versions: Versions) -> list[str]:
    if not audit.standings[Standing.STALE]:
        return []
    model, taxonomy = versions.model or "any", versions.taxonomy or "any"
    return [f"Stale is also what is not of the model {model} and the taxonomy {taxonomy}."]


def _offender_lines(name: str, audit: Audit) -> list[str]:
    if name not in set(Gap):
        return []
    if name == Gap.UNREADABLE:
        return [f"  {printable(str(item))}" for item in audit.unreadable.examples]
    lines = _more(audit.offenders[Gap(name)], audit.standings[name])
    if name == Gap.DEAD_LETTERED and audit.unreadable_letters:
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
