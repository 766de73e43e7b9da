"""How an evaluation is said: as a JSON document, and as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.terminal import printable
from tagging_lambda.evaluate.evaluate import missed, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import Vocabulary
    from tagging_lambda.evaluate.calibrate import Calibration
    from tagging_lambda.evaluate.evaluate import Evaluation
    from tagging_lambda.evaluate.measure import Judged, Measures
    from tagging_lambda.words.share import Share

KEYWORDS_SHOWN = 25  # for a person; JSON has all
PHOTOS_SHOWN = 10  # likewise
GAP = "  "


def evaluation_document(found: Evaluation, photos: Sequence[Judged], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return an evaluation as JSON."""
    return {
        **measures_document(found.measures),
        "keywords": [
            {
                "keyword": vocabulary.nodes[each.keyword_id].name(),
                "id": each.keyword_id,
                "precision": share_document(each.precision),
                "recall": share_document(each.recall),
            }
            for each in found.by_keyword
        ],
        "scores": [
            {"low": b.low, "high": b.high, "promised": round(b.promised, 4), "right": share_document(b.right)}
            for b in found.by_score
        ],
        "curve": [{"threshold": p.threshold, **measures_document(p.measures)} for p in found.curve],
        "folders": [
            {"folder": each.folder, "images": each.images, "with_keyword": each.with_keyword}
            for each in found.coverage.by_folder()
        ],
        "untagged": [str(each.file.path) for each in photos if not each.tags],
        "mistakes": [
            {
                "file": str(each.file.path),
                "wrong": [{"keyword": _name(t.keyword_id, vocabulary), "score": t.score} for t in each.wrong],
                "expected": sorted(_name(i, vocabulary) for i in each.file.expected),
            }
            for each in worst(photos)
        ],
        "missed": [str(each.file.path) for each in missed(photos)],
    }


def measures_document(found: Measures) -> dict[str, Any]:
    """Return the three overall measures as JSON."""
    return {
        "photos": found.photos,
        "coverage": share_document(found.coverage),
        "hits": share_document(found.hits),
        "precision": share_document(found.precision),
    }


def share_document(share: Share) -> dict[str, Any]:
    """Return a share and its bounds as JSON."""
    low, high = share.bounds
    return {
        "count": share.count,
        "of": share.of,
        "share": round(share.value, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def evaluation_text(found: Evaluation, photos: Sequence[Judged], vocabulary: Vocabulary) -> str:
    """Return an evaluation for a person."""
    return "\n".join(
        [
            *_overall_lines(found.measures),
            *_keyword_lines(found, vocabulary),
            *_score_lines(found),
            *_curve_lines(found),
            *_folder_lines(found),
            *_photo_lines("without a keyword", [each for each in photos if not each.tags], vocabulary),
            *_photo_lines("worst mistakes", worst(photos), vocabulary),
        ]
    )


def calibration_document(found: Calibration, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what a calibration found as JSON; ``held_out`` is measured on photos it was not found on."""
    return {
        "wanted_precision": found.wanted,
        "thresholds": [
            {
                "keyword": _name(each.keyword_id, vocabulary),
                "id": each.keyword_id,
                "threshold": each.threshold,
                "right": share_document(each.right),
            }
            for each in found.thresholds
        ],
        "held_out": measures_document(found.held_out),
        "temperature": {
            "value": found.temperature.value,
            "log_loss_now": round(found.temperature.error_now, 4),
            "log_loss_then": round(found.temperature.error_then, 4),
        },
    }


def calibration_text(found: Calibration, vocabulary: Vocabulary) -> str:
    """Return what a calibration found for a person."""
    lines = ["", f"thresholds for a precision of {found.wanted:g}: {len(found.thresholds):,} keywords"]
    for each in sorted(found.thresholds, key=lambda each: -each.right.of):
        share = f"{each.right.count} of {each.right.of}" if each.right.of else "never right often enough"
        lines.append(f"{GAP}{_name(each.keyword_id, vocabulary):<24}{each.threshold:>6.3f}{GAP}{share}")
    lines += ["", "on photos that a threshold was not found on", *_overall_lines(found.held_out)]
    heat = found.temperature
    change = f"log loss {heat.error_now:.4f} now, {heat.error_then:.4f} then"
    return "\n".join([*lines, "", f"temperature of the class scores: {heat.value:g} ({change})"])


def percent(share: Share) -> str:
    """Return a share with its bounds for a person."""
    low, high = share.bounds
    return f"{share.value:.1%} ({low:.1%} to {high:.1%}, {share.count:,} of {share.of:,})"


def _overall_lines(found: Measures) -> list[str]:
    return [
        f"photos     {found.photos:,}",
        f"coverage   {percent(found.coverage)}",
        f"hits       {percent(found.hits)}",
        f"precision  {percent(found.precision)}",
    ]


def _keyword_lines(found: Evaluation, vocabulary: Vocabulary) -> list[str]:
    rows = [
        f"{GAP}{_name(each.keyword_id, vocabulary):<24}{_short(each.precision):>22}{_short(each.recall):>22}"
        for each in found.by_keyword[:KEYWORDS_SHOWN]
    ]
    rest = len(found.by_keyword) - len(rows)
    more = [f"{GAP}and {rest:,} more; --json has all"] if rest else []
    return ["", f"{GAP}{'keyword':<24}{'right, of times said':>22}{'said, of expected':>22}", *rows, *more]


def _score_lines(found: Evaluation) -> list[str]:
    rows = [f"{GAP}{b.low:.1f} to {b.high:.1f}{b.promised:>12.2f}{_short(b.right):>22}" for b in found.by_score]
    return ["", f"{GAP}{'score':<10}{'on average':>12}{'right':>22}", *rows]


def _curve_lines(found: Evaluation) -> list[str]:
    rows = [
        f"{GAP}{p.threshold:<10.2f}{p.measures.coverage.value:>10.1%}{p.measures.hits.value:>10.1%}"
        f"{p.measures.precision.value:>11.1%}"
        for p in found.curve
    ]
    return ["", "if every keyword were said from one score on", f"{GAP}score      coverage      hits  precision", *rows]


def _folder_lines(found: Evaluation) -> list[str]:
    folders = found.coverage.by_folder()
    rows = [
        f"{GAP}{each.share:>7.1%}  of {each.images:>7,}  {printable(each.folder)}" for each in folders[:PHOTOS_SHOWN]
    ]
    return ["", "with a keyword, by folder", *rows] if len(folders) > 1 else []


def _photo_lines(title: str, chosen: Sequence[Judged], vocabulary: Vocabulary) -> list[str]:
    if not chosen:
        return []
    lines = ["", f"{title}: {len(chosen):,}"]
    for each in chosen[:PHOTOS_SHOWN]:
        said = ", ".join(f"{_name(tag.keyword_id, vocabulary)} {tag.score:.2f}" for tag in each.tags) or "-"
        expected = ", ".join(sorted(_name(i, vocabulary) for i in each.file.expected)) or "-"
        lines.append(f"{GAP}{printable(str(each.file.path))}{GAP}{said}{GAP}expected {expected}")
    return lines


def _short(share: Share) -> str:
    return f"{share.value:.1%} of {share.of:,}" if share.of else "-"


def _name(keyword_id: str, vocabulary: Vocabulary) -> str:
    node = vocabulary.nodes.get(keyword_id)
    return keyword_id if node is None else node.name()
