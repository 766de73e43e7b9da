"""What people said of keywords, summed up by model and keyword, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import Vocabulary
    from pipeline.ratings import Tally

HEADS = ("model", "keyword", "right", "wrong", "missing", "share right")


def tallies_document(found: Sequence[Tally], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the sums as JSON."""
    return {
        "ratings": sum(each.right + each.wrong + each.missing for each in found),
        "keywords": [
            {
                "model_version": each.model_version,
                "keyword": _name(each, vocabulary),
                "id": each.keyword if each.keyword in vocabulary.nodes else None,
                "right": each.right,
                "wrong": each.wrong,
                "missing": each.missing,
                "share_right": each.share_right,
            }
            for each in found
        ],
    }


def tallies_text(found: Sequence[Tally], vocabulary: Vocabulary) -> str:
    """Return the sums for a person, those with the most wrong ones first."""
    if not found:
        return "Nobody has rated a keyword yet; the page has a tick and a cross beside each."
    rows = [HEADS, *(_row(each, vocabulary) for each in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(each: Tally, vocabulary: Vocabulary) -> tuple[str, ...]:
    share = "-" if each.share_right is None else f"{each.share_right:.2f}"
    counts = (f"{each.right:,}", f"{each.wrong:,}", f"{each.missing:,}")
    return (each.model_version, _name(each, vocabulary), *counts, share)


def _name(each: Tally, vocabulary: Vocabulary) -> str:
    """Return the keyword's name; a word that the vocabulary lacks is a person's text, and shown without control."""
    node = vocabulary.nodes.get(each.keyword)
    if node is not None:
        return node.name()
    return printable(each.keyword)
