"""Reports these verbs' results: as JSON documents, and as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.keyword_names import KeywordNames
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable

    from pipeline.keywords import Vocabulary
    from tagging_lambda.curate.decide import DecisionCounts, Wish
    from tagging_lambda.curate.retag import RetagCounts
    from tagging_lambda.curate.undo import UndoCounts

KEYWORDS_SHOWN = 15  # gained and lost, for a person; JSON has all
OFFENDERS = 10  # unknown images and failures named, chosen by us


def decided_document(counts: DecisionCounts) -> dict[str, Any]:
    """Return the results of decisions as JSON."""
    return {
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "unknown": counts.unknown,
        "failed": counts.failed,
    }


def decided_text(counts: DecisionCounts, wishes: Collection[Wish], vocabulary: Vocabulary) -> str:
    """Return the results of decisions for a person; a single one also with the keyword found for its word."""
    named = [f"{_name(wish.keyword_id, vocabulary)} ({wish.keyword_id}): " for wish in wishes if len(wishes) == 1]
    lines = [f"{''.join(named)}{_images(counts.changed)} changed, {counts.unchanged:,} were so already"]
    for count, problem, named in (
        (len(counts.unknown), "on no record; load them first", counts.unknown),
        (len(counts.failed), "not written; try again", counts.failed),
    ):
        if count:
            lines.append(f"{count:,} {problem}: {_first(named)}")
    return "\n".join(lines)


def retagged_document(counts: RetagCounts, run_id: str, vocabulary: Vocabulary, *, dry_run: bool) -> dict[str, Any]:
    """Return a new taxonomy's changes as JSON."""

    def by_keyword(images: Counter[str]) -> list[dict[str, Any]]:
        return [{"keyword": _name(i, vocabulary), "id": i, "images": count} for i, count in images.most_common()]

    return {
        "run_id": run_id,
        "dry_run": dry_run,
        "taxonomy_version": vocabulary.version,
        "touched": counts.touched,
        "rescored": counts.rescored,
        "same": counts.same,
        "current": counts.current,
        "other_model": counts.other_model,
        "untagged": counts.untagged,
        "failed": counts.failed,
        "failures": counts.failures,
        **counts.unreadable.document(),
        "gained": by_keyword(counts.gained),
        "lost": by_keyword(counts.lost),
        "examples": [
            {
                "image": example.image,
                "before": [_name(i, vocabulary) for i in example.before],
                "after": [_name(i, vocabulary) for i in example.after],
            }
            for example in counts.examples
        ],
    }


def retagged_text(counts: RetagCounts, run_id: str, vocabulary: Vocabulary, *, dry_run: bool) -> str:
    """Return a new taxonomy's changes for a person."""
    will = "would change" if dry_run else "changed"
    lines = [
        f"run          {run_id}" + (" (dry run: nothing is written)" if dry_run else ""),
        f"taxonomy     {vocabulary.version}",
        f"{will + ' keywords':<22}{counts.touched:>12,}",
        f"{will + ' scores only':<22}{counts.rescored:>12,}",
        f"{'same keywords':<22}{counts.same:>12,}",
        f"{'done before':<22}{counts.current:>12,}",
        f"{'no class scores':<22}{counts.untagged:>12,}",
    ]
    if counts.other_model:
        lines.append(f"{'of another model':<22}{counts.other_model:>12,}  load --only stale reconciles them again")
    if counts.failed:
        lines.append(f"{'failed':<22}{counts.failed:>12,}  {_first(counts.failures)}")
    if counts.unreadable.count:
        lines.append(
            f"{'unreadable':<22}{counts.unreadable.count:>12,}  {_first(map(str, counts.unreadable.examples))}"
        )
    lines += _keyword_lines("gained", counts.gained, vocabulary)
    lines += _keyword_lines("lost", counts.lost, vocabulary)
    for example in counts.examples:
        before, after = (", ".join(_name(i, vocabulary) for i in ids) or "-" for ids in (example.before, example.after))
        lines += ["", printable(example.image), f"  before  {before}", f"  after   {after}"]
    return "\n".join(lines)


def undone_document(counts: UndoCounts, run_id: str, *, dry_run: bool) -> dict[str, Any]:
    """Return what was undone as JSON."""
    return {
        "run_id": run_id,
        "dry_run": dry_run,
        "restored": counts.restored,
        "emptied": counts.emptied,
        "gone": counts.gone,
        "others": counts.others,
        "failed": counts.failed,
        "failures": counts.failures,
        **counts.unreadable.document(),
    }


def undone_text(counts: UndoCounts, run_id: str, *, dry_run: bool) -> str:
    """Return what was undone for a person."""
    unreadable = counts.unreadable.count
    skipped = [f"unreadable{unreadable:>11,}  {_first(map(str, counts.unreadable.examples))}"] if unreadable else []
    if not counts.written_last:
        return "\n".join([f"no image was written last by the run {run_id}", *skipped])
    lines = [
        f"run       {run_id}" + (" (dry run: nothing is written)" if dry_run else ""),
        f"restored  {counts.restored:>12,}  have the keywords again that they had before",
        f"emptied   {counts.emptied:>12,}  had none before: load --only missing tags them again",
        f"gone      {counts.gone:>12,}  are no longer in their bucket, and stay so",
        f"others    {counts.others:>12,}  are other runs' and stay as they are",
    ]
    if counts.failed:
        lines.append(f"failed    {counts.failed:>12,}  {_first(counts.failures)}")
    return "\n".join(lines + skipped)


def _keyword_lines(title: str, counts: Counter[str], vocabulary: Vocabulary) -> list[str]:
    if not counts:
        return []
    shown = [f"  {_name(i, vocabulary):<24}{count:>12,}" for i, count in counts.most_common(KEYWORDS_SHOWN)]
    rest = len(counts) - len(shown)
    return ["", f"{title}, by keyword", *shown, *([f"  and {rest:,} more"] if rest else [])]


def _name(keyword_id: str, vocabulary: Vocabulary) -> str:
    return KeywordNames(vocabulary).name(keyword_id)


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _first(named: Iterable[str]) -> str:
    names = [printable(name) for name in named]
    return ", ".join(names[:OFFENDERS]) + (", ..." if len(names) > OFFENDERS else "")
