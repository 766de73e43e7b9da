"""Contact sheets: one HTML file of captioned pictures as the model saw them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ImageRejected
from pipeline.whole_file import written_whole
from tagging_lambda.image.decode import encode_webp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tagging_lambda.image.reader import Reader
    from tagging_lambda.tag_files import ClosableReader

QUALITY = 80  # chosen by eye: a picture of the model's size takes some 8 kB
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>catalog-tagger {title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 1em }}
figure {{ margin: 0; padding: .6em; border: 1px solid #ddd; border-radius: 6px; overflow-wrap: anywhere }}
figure img {{ max-width: 100%; height: auto }}
figcaption small {{ color: #666 }}
del {{ color: #b00020; text-decoration: none; font-weight: 600 }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; padding: .15em 1em .15em 0 }}
td.number, th.number {{ text-align: right }}
</style></head><body>
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture's source and its HTML caption, in which outside text must be escaped."""

    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, as HTML, and the figures below it."""

    title: str
    figures: Sequence[Figure]


def contact_sheet(
    title: str, opening: str, sections: Iterable[Section], read: Callable[[str], bytes], reader: Reader
) -> Iterator[str]:
    """Yield the sheet's text.

    Args:
        title: of the page.
        opening: HTML above the sections.
        sections: empty ones are left out.
        read: returns a photo's bytes by its source.
        reader: decodes them as for the model.
    """
    yield _HEAD.format(title=escape(title))
    yield opening
    for section in sections:
        if section.figures:
            yield f"<h2>{section.title}</h2>\n<main>\n"
            yield from (_figure(figure, read, reader) for figure in section.figures)
            yield "</main>\n"
    yield "</body></html>\n"


def write_contact_sheet(
    path: Path,
    title: str,
    parts: tuple[str, Iterable[Section]],
    reader: ClosableReader,
    read: Callable[[str], bytes] = lambda name: Path(name).read_bytes(),
) -> None:
    """Write a contact sheet of an opening and sections, and close the reader."""
    try:
        with written_whole(path) as half, half.open("w", encoding="utf-8", errors="replace") as file:
            file.writelines(contact_sheet(title, *parts, read, reader))
    finally:
        reader.close()


def _figure(figure: Figure, read: Callable[[str], bytes], reader: Reader) -> str:
    picture = _picture(figure.source, read, reader)
    return f"<figure>{picture}<figcaption>{figure.caption}</figcaption></figure>\n"


def _picture(source: str, read: Callable[[str], bytes], reader: Reader) -> str:
    try:
        levels = reader.read(read(source)).levels
    except (ImageRejected, OSError) as error:
        return f"<p>{escape(str(error))}</p>"
    data = base64.b64encode(encode_webp(levels, QUALITY)).decode()
    return f'<img alt="" width="{levels.shape[1]}" height="{levels.shape[0]}" src="data:image/webp;base64,{data}">'
