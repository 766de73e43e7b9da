"""A contact sheet: one HTML file with the worst mistakes, each with its picture as the model saw it."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape
from typing import TYPE_CHECKING

from pipeline.errors import ImageRejected
from tagging_lambda.evaluate.evaluate import missed, worst
from tagging_lambda.evaluate.report import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from tagging_lambda.evaluate.measure import Judged, Measures
    from tagging_lambda.image.reader import Reader

SHOWN = 60  # pictures in each part of the sheet; chosen by us: some 3 MB in all
_SHRINK = 2  # a picture is shown at half the model's size
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>catalog-tagger evaluate</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 1em }
figure { margin: 0; padding: .6em; border: 1px solid #ddd; border-radius: 6px; overflow-wrap: anywhere }
figcaption small { color: #666 }
del { color: #b00020; text-decoration: none; font-weight: 600 }
</style></head><body>
"""


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
    yield _HEAD
    shares = (("coverage", measures.coverage), ("hits", measures.hits), ("precision", measures.precision))
    yield f"<h1>{measures.photos:,} photos</h1><p>"
    yield ", ".join(f"{name} {percent(share)}" for name, share in shares) + "</p>\n"
    for title, chosen in (("Mistakes, the surest first", worst(photos)), ("Nothing expected was said", missed(photos))):
        yield f"<h2>{title}: {len(chosen):,}</h2>\n<main>\n"
        yield from (_figure(each, vocabulary, read, reader) for each in chosen[:SHOWN])
        yield "</main>\n"
    yield "</body></html>\n"


def _figure(each: Judged, vocabulary: Vocabulary, read: Callable[[str], bytes], reader: Reader) -> str:
    wrong = set(each.wrong)
    said = [(f"{_name(tag.keyword_id, vocabulary)} {tag.score:.2f}", tag in wrong) for tag in each.tags]
    marked = ", ".join(f"<del>{text}</del>" if is_wrong else text for text, is_wrong in said) or "(no keyword)"
    expected = ", ".join(sorted(_name(i, vocabulary) for i in each.file.expected)) or "(none)"
    picture = _picture(str(each.file.path), read, reader) if each.class_scores else "<p>rejected</p>"
    return (
        f"<figure>{picture}<figcaption>{marked}<br>"
        f"<small>expected {expected}<br>{escape(each.file.path.name)}</small></figcaption></figure>\n"
    )


def _name(keyword_id: str, vocabulary: Vocabulary) -> str:
    return escape(vocabulary.nodes[keyword_id].name())


def _picture(path: str, read: Callable[[str], bytes], reader: Reader) -> str:
    try:
        levels = reader.read(read(path)).levels
    except (ImageRejected, OSError) as error:
        return f"<p>{escape(str(error))}</p>"
    data = base64.b64encode(png(_shrunk(levels))).decode()
    return f'<img alt="" width="{levels.shape[1]}" height="{levels.shape[0]}" src="data:image/png;base64,{data}">'


def _shrunk(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = (side // _SHRINK for side in levels.shape[:2])
    blocks = levels[: rows * _SHRINK, : columns * _SHRINK].reshape(rows, _SHRINK, columns, _SHRINK, 3)
    means: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).astype("uint8")
    return means


def png(levels: NDArray[np.uint8]) -> bytes:
    """Return the picture, uint8 [H, W, 3], RGB, as a PNG file."""
    rows, columns = levels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in levels)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    parts: Iterable[tuple[bytes, bytes]] = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
