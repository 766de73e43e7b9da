"""Reports contradicted labels: as text, JSON, CSV and sections of a contact sheet."""

from __future__ import annotations

import csv
import io
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.terminal import GAP, printable
from tagging_lambda.image.contact_sheet import Figure, Section

if TYPE_CHECKING:
    from pipeline.keywords import Vocabulary
    from tagging_lambda.words.verify import Contradiction, Verification

SHOWN = 15  # photos, for a person: the report fits a screen; --full prints all, and JSON and CSV have all
PICTURES = 100  # in the sheet, chosen by us: some 4 MB
OTHER = "(none of these words)"
COLUMNS = ("line", "file", "keyword", "believed", "contradiction", "keyword_score", "believed_score")


def verification_text(verification: Verification, vocabulary: Vocabulary, *, full: bool = False) -> str:
    """Return the contradictions for a person, worst first."""
    worst = verification.contradictions
    lines = [f"{len(worst):,} of {verification.photos:,} photos contradict their keywords; nothing was changed"]
    if verification.unverified:
        names = ", ".join(vocabulary.name_of(word) for word in verification.unverified[:SHOWN])
        lines.append(f"not verified, for want of photos (3 are the fewest): {names}")
    if worst:
        lines += ["", f"{GAP}{'against':>7}{GAP}{'keyword':<20}{GAP}{'believed':<20}{GAP}photo"]
    shown = worst if full else worst[:SHOWN]
    lines += [_line(item, vocabulary) for item in shown]
    if len(worst) > len(shown):
        lines.append(f"{GAP}and {len(worst) - len(shown):,} more; --csv FILE.csv and --sheet FILE.html have them")
    return "\n".join(lines)


def _line(item: Contradiction, vocabulary: Vocabulary) -> str:
    doubted, believed = _doubted(item, vocabulary), _believed(item, vocabulary)
    return (
        f"{GAP}{item.contradiction:>7.2f}{GAP}{printable(doubted):<20}{GAP}{printable(believed):<20}"
        f"{GAP}{printable(item.photo.text)}"
    )


def verification_document(verification: Verification, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the contradictions as JSON, worst first."""
    return {
        "photos": verification.photos,
        "unverified": [vocabulary.name_of(word) for word in verification.unverified],
        "contradictions": [_cells(item, vocabulary) for item in verification.contradictions],
    }


def verification_csv(verification: Verification, vocabulary: Vocabulary) -> str:
    """Return the contradictions as CSV, worst first."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(_cells(item, vocabulary) for item in verification.contradictions)
    return text.getvalue()


def _cells(item: Contradiction, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "line": item.photo.line,
        "file": item.photo.text,
        "keyword": "" if item.doubted is None else vocabulary.name_of(item.doubted),
        "believed": "" if item.believed is None else vocabulary.name_of(item.believed),
        "contradiction": round(item.contradiction, 4),
        "keyword_score": round(item.doubted_score, 4),
        "believed_score": round(item.believed_score, 4),
    }


def verify_sections(verification: Verification, vocabulary: Vocabulary) -> list[Section]:
    """Return the sheet's sections."""
    figures = [
        Figure(
            str(item.photo.source),
            f"<del>{escape(_doubted(item, vocabulary))} {item.doubted_score:.2f}</del>, "
            f"believed {escape(_believed(item, vocabulary))} {item.believed_score:.2f}<br>"
            f"<small>line {item.photo.line:,}: {escape(item.photo.text)}</small>",
        )
        for item in verification.contradictions[:PICTURES]
    ]
    return [Section("Photos that contradict their keywords, worst first", figures)]


def _doubted(item: Contradiction, vocabulary: Vocabulary) -> str:
    return OTHER if item.doubted is None else vocabulary.name_of(item.doubted)


def _believed(item: Contradiction, vocabulary: Vocabulary) -> str:
    return OTHER if item.believed is None else vocabulary.name_of(item.believed)
