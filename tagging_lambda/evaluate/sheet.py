"""A contact sheet of an evaluation: the worst mistakes, and the photos that got nothing expected."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tagging_lambda.evaluate.evaluate import missed, worst
from tagging_lambda.evaluate.report import percent
from tagging_lambda.image.contact_sheet import Figure, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import Vocabulary
    from tagging_lambda.evaluate.measure import Judged, Measures

SHOWN = 60  # pictures in each section of the sheet; chosen by us: some 3 MB in all


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
        Section(f"{title}: {len(chosen):,}", [_figure(photo, vocabulary) for photo in chosen[:SHOWN]])
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
