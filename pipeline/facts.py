"""Facts about a photo, measured in one pass over a small copy and stored, so that rules need no photo."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pipeline.colours import COLOURS

STEPS = 255  # a stored share is a whole number of these steps: one byte
PALETTE_BYTES = 15
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # numbered in a record: append only
_VERSION = 1
_SHARES = 11  # single shares, before those of the colours
_LAYOUT = struct.Struct(f"<BIIIB3B{_SHARES + len(COLOURS) + 1}B{PALETTE_BYTES}s")


def in_steps(share: float) -> float:
    """Return the share, clamped to [0, 1] and rounded to what one byte can store."""
    return round(min(1.0, max(0.0, share)) * STEPS) / STEPS


@dataclass(frozen=True, slots=True)
class Margins:
    """The distance of the product from each edge, as a share of the picture's width or height, in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float


# Facts are stored and rules computed from them, so that a changed rule needs no photo (DECISIONS.md, 39).
@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What was measured in a photo, without judgement. Every share lies in [0, 1], in steps of 1/255.

    Attributes:
        width_pixels: of the original, upright.
        height_pixels: likewise.
        file_bytes: size of the file.
        format: Pillow's name, one of ``FORMATS``.
        border_rgb: the median colour of the outermost ring, 0 to 255 each, sRGB.
        border_evenness: the share of that ring within a small distance of its median.
        border_whiteness: the share of that ring that is white.
        frame: 1 if an even line in another colour runs along all four edges, else 0.
        fill: the share of the picture that the product covers.
        margins: the distances of the product's box from the edges.
        sharpness: the steepest step between neighbouring pixels of the small copy, relative to its contrast.
        brightness: the mean level.
        clipped: the share of the product that is at the darkest or the brightest possible level.
        colour_shares: of the product, for each of ``COLOURS``; they sum to about 1.
        colour_certainty: how clearly the product stands apart from its background.
        palette: quartiles and tails of lightness, a and b over the product: the photo's colour fingerprint.
    """

    width_pixels: int
    height_pixels: int
    file_bytes: int
    format: str
    border_rgb: tuple[int, int, int]
    border_evenness: float
    border_whiteness: float
    frame: float
    fill: float
    margins: Margins
    sharpness: float
    brightness: float
    clipped: float
    colour_shares: tuple[float, ...]
    colour_certainty: float
    palette: bytes

    def pack(self) -> bytes:
        """Return the facts as a record stores them: 56 bytes."""
        sides = self.margins
        shares = (
            self.border_evenness,
            self.border_whiteness,
            self.frame,
            self.fill,
            *(sides.left, sides.top, sides.right, sides.bottom),
            self.sharpness,
            self.brightness,
            self.clipped,
        )
        certainty_and_colours = (*self.colour_shares, self.colour_certainty)
        return _LAYOUT.pack(
            _VERSION,
            self.width_pixels,
            self.height_pixels,
            self.file_bytes,
            FORMATS.index(self.format),
            *self.border_rgb,
            *map(_step, (*shares, *certainty_and_colours)),
            self.palette,
        )

    @classmethod
    def unpack(cls, packed: bytes) -> PhotoFacts | None:
        """Return the facts that ``pack`` packed, or None if a later version used another layout."""
        if len(packed) != _LAYOUT.size or packed[0] != _VERSION:
            return None
        _, width, height, size_bytes, kind, red, green, blue, *steps, palette = _LAYOUT.unpack(packed)
        shares = [step / STEPS for step in steps]
        evenness, whiteness, frame, fill, left, top, right, bottom, sharpness, brightness, clipped = shares[:_SHARES]
        return cls(
            width_pixels=width,
            height_pixels=height,
            file_bytes=size_bytes,
            format=FORMATS[kind],
            border_rgb=(red, green, blue),
            border_evenness=evenness,
            border_whiteness=whiteness,
            frame=frame,
            fill=fill,
            margins=Margins(left, top, right, bottom),
            sharpness=sharpness,
            brightness=brightness,
            clipped=clipped,
            colour_shares=tuple(shares[_SHARES:-1]),
            colour_certainty=shares[-1],
            palette=palette,
        )


def _step(share: float) -> int:
    return round(share * STEPS)
