"""A contact sheet of an evaluation: the worst mistakes, and the photos of which nothing expected was said."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tagging_lambda.evaluate.evaluate import missed, worst
from tagging_lambda.evaluate.report import percent
from tagging_lambda.image.contact_sheet import Figure, Section, contact_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.keywords import Vocabulary
    from tagging_lambda.evaluate.measure import Judged, Measures
    from tagging_lambda.image.reader import Reader

SHOWN = 60  # pictures in each part of the sheet; chosen by us: some 3 MB in all


def sheet(
    photos: Sequence[Judged], measures: Measures, vocabulary: Vocabulary, read: Callable[[str], bytes], reader: Reader
) -> Iterator[str]:
    """Yield the sheet's text. Whatever comes from outside, file names above all, is escaped.

    Args:
        photos: all that were judged.
        measures: of all of them.
        vocabulary: for the keywords' names.
        read: returns a photo's bytes by its path.
        reader: reads them as the model's are read.
    """
    shares = (("coverage", measures.coverage), ("hits", measures.hits), ("precision", measures.precision))
    summary = ", ".join(f"{name} {percent(share)}" for name, share in shares)
    parts = (("Mistakes, the surest first", worst(photos)), ("Nothing expected was said", missed(photos)))
    return contact_sheet(
        "evaluate",
        f"<h1>{measures.photos:,} photos</h1><p>{summary}</p>\n",
        [
            Section(f"{title}: {len(chosen):,}", [_figure(photo, vocabulary) for photo in chosen[:SHOWN]])
            for title, chosen in parts
        ],
        read,
        reader,
    )


def _figure(photo: Judged, vocabulary: Vocabulary) -> Figure:
    wrong = set(photo.wrong)
    keywords = [(f"{_name(tag.keyword_id, vocabulary)} {tag.score:.2f}", tag in wrong) for tag in photo.tags]
    marked = ", ".join(f"<del>{text}</del>" if is_wrong else text for text, is_wrong in keywords) or "(no keyword)"
    expected = ", ".join(sorted(_name(keyword_id, vocabulary) for keyword_id in photo.file.expected)) or "(none)"
    caption = f"{marked}<br><small>expected {expected}<br>{escape(photo.file.path.name)}</small>"
    return Figure(str(photo.file.path), caption)


def _name(keyword_id: str, vocabulary: Vocabulary) -> str:
    return escape(vocabulary.nodes[keyword_id].name())
