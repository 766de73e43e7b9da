"""How these verbs say what they did: as JSON documents, and as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable

    from pipeline.keywords import Vocabulary
    from tagging_lambda.curate.decide import Decided, Wish
    from tagging_lambda.curate.retag import Retagged
    from tagging_lambda.curate.undo import Undone

KEYWORDS_SHOWN = 15  # gained and lost, for a person; JSON has all
OFFENDERS = 10  # unknown images and failures named, chosen by us


def decided_document(decided: Decided) -> dict[str, Any]:
    """Return what became of decisions as JSON."""
    return {
        "changed": decided.changed,
        "unchanged": decided.unchanged,
        "unknown": decided.unknown,
        "failed": decided.failed,
    }


def decided_text(decided: Decided, wishes: Collection[Wish], vocabulary: Vocabulary) -> str:
    """Return what became of decisions for a person; one alone with what its word was taken for."""
    named = [f"{_name(wish.keyword_id, vocabulary)} ({wish.keyword_id}): " for wish in wishes if len(wishes) == 1]
    lines = [f"{''.join(named)}{_images(decided.changed)} changed, {decided.unchanged:,} were so already"]
    for count, what, named in (
        (len(decided.unknown), "on no record; load them first", decided.unknown),
        (len(decided.failed), "not written; try again", decided.failed),
    ):
        if count:
            lines.append(f"{count:,} {what}: {_first(named)}")
    return "\n".join(lines)


def retagged_document(retagged: Retagged, run_id: str, vocabulary: Vocabulary, *, dry_run: bool) -> dict[str, Any]:
    """Return what a new taxonomy changes as JSON."""

    def counted(counts: Counter[str]) -> list[dict[str, Any]]:
        return [{"keyword": _name(i, vocabulary), "id": i, "images": count} for i, count in counts.most_common()]

    return {
        "run_id": run_id,
        "dry_run": dry_run,
        "taxonomy_version": vocabulary.version,
        "touched": retagged.touched,
        "rescored": retagged.rescored,
        "same": retagged.same,
        "current": retagged.current,
        "other_model": retagged.other_model,
        "untagged": retagged.untagged,
        "failed": retagged.failed,
        "failures": retagged.failures,
        "gained": counted(retagged.gained),
        "lost": counted(retagged.lost),
        "examples": [
            {
                "image": each.image,
                "before": [_name(i, vocabulary) for i in each.before],
                "after": [_name(i, vocabulary) for i in each.after],
            }
            for each in retagged.examples
        ],
    }


def retagged_text(retagged: Retagged, run_id: str, vocabulary: Vocabulary, *, dry_run: bool) -> str:
    """Return what a new taxonomy changes for a person."""
    will = "would change" if dry_run else "changed"
    lines = [
        f"run          {run_id}" + (" (dry run: nothing is written)" if dry_run else ""),
        f"taxonomy     {vocabulary.version}",
        f"{will + ' keywords':<22}{retagged.touched:>12,}",
        f"{will + ' scores only':<22}{retagged.rescored:>12,}",
        f"{'same keywords':<22}{retagged.same:>12,}",
        f"{'done before':<22}{retagged.current:>12,}",
        f"{'no class scores':<22}{retagged.untagged:>12,}",
    ]
    if retagged.other_model:
        lines.append(f"{'of another model':<22}{retagged.other_model:>12,}  load --only stale looks at them again")
    if retagged.failed:
        lines.append(f"{'failed':<22}{retagged.failed:>12,}  {_first(retagged.failures)}")
    lines += _keyword_lines("gained", retagged.gained, vocabulary)
    lines += _keyword_lines("lost", retagged.lost, vocabulary)
    for each in retagged.examples:
        before, after = (", ".join(_name(i, vocabulary) for i in ids) or "-" for ids in (each.before, each.after))
        lines += ["", printable(each.image), f"  before  {before}", f"  after   {after}"]
    return "\n".join(lines)


def undone_document(undone: Undone, run_id: str, *, dry_run: bool) -> dict[str, Any]:
    """Return what was taken back as JSON."""
    return {
        "run_id": run_id,
        "dry_run": dry_run,
        "restored": undone.restored,
        "emptied": undone.emptied,
        "gone": undone.gone,
        "others": undone.others,
        "failed": undone.failed,
        "failures": undone.failures,
    }


def undone_text(undone: Undone, run_id: str, *, dry_run: bool) -> str:
    """Return what was taken back for a person."""
    if not undone.found:
        return f"no image was written last by the run {run_id}"
    lines = [
        f"run       {run_id}" + (" (dry run: nothing is written)" if dry_run else ""),
        f"restored  {undone.restored:>12,}  have the keywords again that they had before",
        f"emptied   {undone.emptied:>12,}  had none before: load --only missing looks at them again",
        f"gone      {undone.gone:>12,}  are no longer in their bucket, and stay so",
        f"others    {undone.others:>12,}  are other runs' and stay as they are",
    ]
    if undone.failed:
        lines.append(f"failed    {undone.failed:>12,}  {_first(undone.failures)}")
    return "\n".join(lines)


def _keyword_lines(title: str, counts: Counter[str], vocabulary: Vocabulary) -> list[str]:
    if not counts:
        return []
    shown = [f"  {_name(i, vocabulary):<24}{count:>12,}" for i, count in counts.most_common(KEYWORDS_SHOWN)]
    rest = len(counts) - len(shown)
    return ["", f"{title}, by keyword", *shown, *([f"  and {rest:,} more"] if rest else [])]


def _name(keyword_id: str, vocabulary: Vocabulary) -> str:
    node = vocabulary.nodes.get(keyword_id)
    return keyword_id if node is None else node.name()


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _first(named: Iterable[str]) -> str:
    every = [printable(each) for each in named]
    return ", ".join(every[:OFFENDERS]) + (", ..." if len(every) > OFFENDERS else "")
