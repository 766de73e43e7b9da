"""Reports an evaluation: as a JSON document, as text, the verdict first, and as a contact sheet; and the ratings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.terminal import GAP, printable, table
from tagging_lambda.evaluate.calibrate import EVIDENCE, Calibration
from tagging_lambda.evaluate.measure import Evaluation, missed, worst
from tagging_lambda.image.contact_sheet import Figure, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import Vocabulary
    from pipeline.ratings import Tally
    from tagging_lambda.evaluate.measure import Judged, Measures
    from tagging_lambda.words.share import Share

KEYWORDS_SHOWN = 8  # on a screen; --full has 200 and JSON has all
PHOTOS_SHOWN = 5  # likewise
FULL = 200
PICTURES = 60  # in each section of the sheet; chosen by us: some 3 MB in all
MEASURES = ("coverage", "hits", "wrong", "only_broader", "precision", "narrow_precision")
RATING_HEADS = ("model", "keyword", "right", "wrong", "missing", "share right")


def evaluation_document(evaluation: Evaluation, photos: Sequence[Judged], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return an evaluation as JSON."""
    return {
        **measures_document(evaluation.measures),
        "keywords": [
            {
                "keyword": vocabulary.nodes[keyword.keyword_id].name(),
                "id": keyword.keyword_id,
                "precision": keyword.precision.document(),
                "recall": keyword.recall.document(),
            }
            for keyword in evaluation.by_keyword
        ],
        "scores": [
            {"low": b.low, "high": b.high, "promised": round(b.promised, 4), "right": b.right.document()}
            for b in evaluation.by_score
        ],
        "curve": [{"threshold": p.threshold, **measures_document(p.measures)} for p in evaluation.curve],
        "folders": [asdict(folder) for folder in evaluation.coverage.by_folder()],
        "untagged": [str(photo.file.path) for photo in photos if not photo.tags],
        "mistakes": [
            {
                "file": str(photo.file.path),
                "wrong": [{"keyword": vocabulary.name_of(t.keyword_id), "score": t.score} for t in photo.wrong],
                "expected": sorted(vocabulary.name_of(i) for i in photo.file.expected),
            }
            for photo in worst(photos)
        ],
        "missed": [str(photo.file.path) for photo in missed(photos)],
    }


def measures_document(measures: Measures) -> dict[str, Any]:
    """Return the overall measures as JSON."""
    return {"photos": measures.photos} | {name: getattr(measures, name).document() for name in MEASURES}


@dataclass(frozen=True, slots=True)
class EvaluationText:
    """An evaluation for a person; without `full` it fits a screen of 24 lines; `brief` goes below a calibration."""

    found: Evaluation
    photos: Sequence[Judged]
    vocabulary: Vocabulary
    full: bool = False
    brief: bool = False

    def __str__(self) -> str:
        if self.brief and not self.full:
            return "\n".join([*overall_lines(self.found.measures), "--full has keywords, scores and mistakes"])
        untagged = [photo for photo in self.photos if not photo.tags]
        parts = [
            *overall_lines(self.found.measures),
            *self._keywords(),
            *(self._scores() if self.full else ()),
            *(self._curve() if self.full else ()),
            *(self._folders() if self.full else ()),
            *(self._photos("photos without a keyword", untagged) if self.full else ()),
            *self._photos("photos with a wrong word, the surest first", worst(self.photos)),
        ]
        return "\n".join(parts)

    def _keywords(self) -> list[str]:
        shown = self.found.by_keyword[: FULL if self.full else KEYWORDS_SHOWN]
        rows = [
            f"{GAP}{self.vocabulary.name_of(keyword.keyword_id):<24}"
            f"{_short(keyword.precision):>20}{_short(keyword.recall):>20}"
            for keyword in shown
        ]
        header = f"{GAP}{'keyword':<24}{'right when said':>20}{'found':>20}"
        return ["", header, *rows, *self._rest(len(self.found.by_keyword) - len(shown))]

    def _scores(self) -> list[str]:
        rows = [
            f"{GAP}{b.low:.1f} to {b.high:.1f}{b.promised:>12.2f}{_short(b.right):>22}" for b in self.found.by_score
        ]
        return ["", f"{GAP}{'score':<10}{'on average':>12}{'right':>22}", *rows]

    def _curve(self) -> list[str]:
        rows = [
            f"{GAP}{p.threshold:<10.2f}{p.measures.coverage.value:>10.1%}{p.measures.hits.value:>10.1%}"
            f"{p.measures.precision.value:>11.1%}"
            for p in self.found.curve
        ]
        return ["", "with one threshold for every keyword", f"{GAP}score      coverage  specific  precision", *rows]

    def _folders(self) -> list[str]:
        folders = self.found.coverage.by_folder()
        if len(folders) < 2:  # noqa: PLR2004 - one folder makes no list
            return []
        rows = [f"{GAP}{f.share:>7.1%}  of {f.images:>7,}  {printable(f.folder)}" for f in folders[:FULL]]
        return ["", "photos with a keyword, by folder", *rows, *self._rest(len(folders) - len(rows))]

    def _photos(self, title: str, chosen: Sequence[Judged]) -> list[str]:
        if not chosen:
            return []
        shown = chosen[: FULL if self.full else PHOTOS_SHOWN]
        rows = [self._photo(photo) for photo in shown]
        return ["", f"{title}: {len(chosen):,}", *rows, *self._rest(len(chosen) - len(shown))]

    def _photo(self, photo: Judged) -> str:
        words = ", ".join(f"{self.vocabulary.name_of(tag.keyword_id)} {tag.score:.2f}" for tag in photo.tags) or "-"
        expected = ", ".join(sorted(self.vocabulary.name_of(i) for i in photo.file.expected)) or "-"
        return f"{GAP}{printable(str(photo.file.path))}{GAP}{words}{GAP}expected {expected}"

    def _rest(self, count: int) -> list[str]:
        return [f"{GAP}and {count:,} more; --{'json' if self.full else 'full'} has them"] if count > 0 else []


def calibration_document(calibration: Calibration, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return a calibration as JSON; ``held_out`` is measured on held-out photos."""
    return {
        "wanted_precision": calibration.wanted,
        "helps": calibration.helps,
        "thresholds": [
            {
                "keyword": vocabulary.name_of(threshold.keyword_id),
                "id": threshold.keyword_id,
                "threshold": threshold.threshold,
                "right": threshold.right.document(),
            }
            for threshold in calibration.thresholds
        ],
        "rejected": calibration.rejected,
        "now": measures_document(calibration.now),
        "held_out": measures_document(calibration.held_out),
        "temperature": {
            "value": calibration.temperature.value,
            "log_loss_now": round(calibration.temperature.error_now, 4),
            "log_loss_then": round(calibration.temperature.error_then, 4),
        },
    }


def calibration_text(calibration: Calibration, vocabulary: Vocabulary, *, full: bool = False) -> str:
    """Return a calibration for a person, the verdict first."""
    now, then = calibration.now, calibration.held_out
    change = [
        f"{GAP}{'':<18}{'now':>8}{'held out':>12}",
        f"{GAP}{'specific':<18}{now.hits.value:>8.1%}{then.hits.value:>12.1%}",
        f"{GAP}{'a wrong word':<18}{now.wrong.value:>8.1%}{then.wrong.value:>12.1%}",
        f"{GAP}{'precision':<18}{now.precision.value:>8.1%}{then.precision.value:>12.1%}",
    ]
    found = calibration.rejected
    if not calibration.helps and not found:
        return f"No threshold is written: no keyword has {EVIDENCE} photos."
    if not calibration.helps:
        return "\n".join([f"No threshold is written: of photos held out, {_objection(calibration)}.", *change])
    helpful = len(calibration.thresholds)
    lines = [f"Thresholds that help on photos held out: {helpful:,}; that do not: {found:,}.", *change, ""]
    by_evidence = sorted(calibration.thresholds, key=lambda threshold: -threshold.right.of)
    shown = by_evidence if full else by_evidence[:KEYWORDS_SHOWN]
    for threshold in shown:
        right = threshold.right
        share = f"{right.count} of {right.of}" if right.of else "never right often enough"
        lines.append(f"{GAP}{vocabulary.name_of(threshold.keyword_id):<24}{threshold.threshold:>6.3f}{GAP}{share}")
    if len(by_evidence) > len(shown):
        lines.append(f"{GAP}and {len(by_evidence) - len(shown):,} more; --full has them")
    return "\n".join(lines)


def _objection(calibration: Calibration) -> str:
    """Return why thresholds that each help their keyword are not worth writing together."""
    now, then = calibration.now, calibration.held_out
    if then.wrong.count > now.wrong.count:
        return "more would get a wrong word"
    if now.precision.value < calibration.wanted:
        return "no larger share of words would be right"
    return "no more would get their word"


def percent(share: Share) -> str:
    """Return a share with its bounds for a person."""
    low, high = share.bounds
    return f"{share.value:.1%} ({low:.1%} to {high:.1%}, {share.count:,} of {share.of:,})"


def overall_lines(measures: Measures) -> list[str]:
    """Return the verdict: how many photos get a word that names the thing, a wrong one, or only a department."""
    specific = f"{measures.hits.value:.1%} get a word that names the thing"
    others = f"{measures.wrong.value:.1%} a wrong word, {measures.only_broader.value:.1%} only a department"
    return [
        f"{measures.photos:,} photos: {specific}, {others}",
        f"specific         {percent(measures.hits)}",
        f"wrong word       {percent(measures.wrong)}",
        f"only department  {percent(measures.only_broader)}",
        f"precision        {percent(measures.narrow_precision)}, departments left out",
    ]


def _short(share: Share) -> str:
    return f"{share.value:.1%} of {share.of:,}" if share.of else "-"


def sheet(photos: Sequence[Judged], measures: Measures, vocabulary: Vocabulary) -> tuple[str, list[Section]]:
    """Return the HTML above the pictures, and the sections; outside text is escaped.

    Args:
        photos: all judged photos.
        measures: over all of them.
        vocabulary: for the keywords' names.
    """
    shares = (("coverage", measures.coverage), ("hits", measures.hits), ("precision", measures.precision))
    summary = ", ".join(f"{name} {percent(share)}" for name, share in shares)
    parts = (("Mistakes, the surest first", worst(photos)), ("Nothing expected was said", missed(photos)))
    sections = [
        Section(f"{title}: {len(chosen):,}", [_figure(photo, vocabulary) for photo in chosen[:PICTURES]])
        for title, chosen in parts
    ]
    return f"<h1>{measures.photos:,} photos</h1><p>{summary}</p>\n", sections


def _figure(photo: Judged, vocabulary: Vocabulary) -> Figure:
    wrong = set(photo.wrong)
    keywords = [(f"{escape(vocabulary.name_of(tag.keyword_id))} {tag.score:.2f}", tag in wrong) for tag in photo.tags]
    marked = ", ".join(f"<del>{text}</del>" if is_wrong else text for text, is_wrong in keywords) or "(no keyword)"
    expected = (
        ", ".join(sorted(escape(vocabulary.name_of(keyword_id)) for keyword_id in photo.file.expected)) or "(none)"
    )
    caption = f"{marked}<br><small>expected {expected}<br>{escape(photo.file.path.name)}</small>"
    return Figure(str(photo.file.path), caption)


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
    return table(RATING_HEADS, [_row(tally, vocabulary) for tally in sums])


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
