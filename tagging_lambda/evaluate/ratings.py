"""Reports people's ratings by model and keyword, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import Vocabulary
    from pipeline.ratings import Tally

HEADS = ("model", "keyword", "right", "wrong", "missing", "share right")


def tallies_document(sums: Sequence[Tally], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the sums as JSON."""
    return {
        "ratings": sum(tally.right + tally.wrong + tally.missing for tally in sums),
        "keywords": [
            {
                "model_version": tally.model_version,
                "keyword": _name(tally, vocabulary),
                "id": tally.keyword if tally.keyword in vocabulary.nodes else None,
                "right": tally.right,
                "wrong": tally.wrong,
                "missing": tally.missing,
                "share_right": tally.share_right,
            }
            for tally in sums
        ],
    }


def tallies_text(sums: Sequence[Tally], vocabulary: Vocabulary) -> str:
    """Return the sums for a person, the most wrong ratings first."""
    if not sums:
        return "Nobody has rated a keyword yet; the page has a tick and a cross beside each."
    rows = [HEADS, *(_row(tally, vocabulary) for tally in sums)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(tally: Tally, vocabulary: Vocabulary) -> tuple[str, ...]:
    share = "-" if tally.share_right is None else f"{tally.share_right:.2f}"
    counts = (f"{tally.right:,}", f"{tally.wrong:,}", f"{tally.missing:,}")
    return (tally.model_version, _name(tally, vocabulary), *counts, share)


def _name(tally: Tally, vocabulary: Vocabulary) -> str:
    """Return the keyword's name; a word that the vocabulary lacks is outside text, shown without control characters."""
    node = vocabulary.nodes.get(tally.keyword)
    if node is not None:
        return node.name()
    return printable(tally.keyword)
