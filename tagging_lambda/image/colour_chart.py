"""Names colours: soft regions of CIE Lab, set by hand, tabulated over all colours.

The regions follow how people split the hue circle, and where dark orange becomes brown; nothing is fitted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.colours import COLOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SHIFT = 3  # low bits of a level that the table ignores: 32 levels a channel, 32,768 colours
_LEVELS = 256 >> SHIFT
# IEC 61966-2-1 (sRGB): the linear part, and the primaries in XYZ divided by the white point D65.
_LINEAR_BELOW, _LINEAR_SLOPE = 0.04045, 12.92
_TO_XYZ = np.array(
    [[0.433953, 0.376219, 0.189828], [0.212673, 0.715152, 0.072175], [0.017758, 0.109477, 0.872765]], np.float32
)
_VERY_PALE = 86  # L*, from which a tint of yellow counts as yellow
_UNKNOWN_LIGHT = 1.5  # factor on the chroma that passes for grey, as a lamp tints black and white things
_WARM_WHITE = 9, 5  # chroma of yellow that passes for white in unknown light before that factor, and in known light
# Of human skin, light and dark: hue angles, chroma and L*. Chosen by us, on models in half of the packshots.
_SKIN_HUES, _SKIN_CHROMAS, _SKIN_LIGHTNESSES = (28, 72), (12, 45), (20, 88)
_CUBE_ROOT_ABOVE = 0.008856  # CIE 15: below it the root is replaced by a line


def lab_of(rgb: Floats) -> Floats:
    """Return CIE Lab (D65), float32 [..., 3], of sRGB levels, float32 [..., 3], 0 to 255."""
    share = rgb / np.float32(255)
    linear = np.where(share <= _LINEAR_BELOW, share / _LINEAR_SLOPE, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    root = np.where(xyz > _CUBE_ROOT_ABOVE, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def cells_of(levels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the table's row for each pixel: int32 [...], of uint8 [..., 3] RGB."""
    reduced = (levels >> SHIFT).astype(np.int32)
    return reduced[..., 0] * _LEVELS**2 + reduced[..., 1] * _LEVELS + reduced[..., 2]


@lru_cache(maxsize=1)
def lab_table() -> Floats:
    """Return CIE Lab of each cell's centre: float32 [32768, 3]."""
    middle = np.arange(_LEVELS, dtype=np.float32) * (1 << SHIFT) + (1 << SHIFT) / 2
    return lab_of(np.stack(np.meshgrid(middle, middle, middle, indexing="ij"), -1)).reshape(-1, 3)


@lru_cache(maxsize=1)
def skin_table() -> NDArray[np.bool_]:
    """Return whether each cell may be the colour of someone's skin: bool [32768]. Leather and beige cloth are, too."""
    lightness, chroma, hue = _polar(lab_table())
    ranges = ((hue, _SKIN_HUES), (chroma, _SKIN_CHROMAS), (lightness, _SKIN_LIGHTNESSES))
    return np.asarray(np.all([(values > low) & (values < high) for values, (low, high) in ranges], axis=0), np.bool_)


# Colours are regions of CIE Lab, set by hand (DECISIONS.md, 40).
@lru_cache(maxsize=2)
def name_table(is_light_known: bool) -> Floats:
    """Return each cell's share of each of ``COLOURS``: float32 [32768, 12], rows sum to 1. Takes 20 ms once.

    Where the colour of the light is unknown, a tint must be stronger to be a colour (DECISIONS.md, 165).
    """
    lightness, chroma, hue = _polar(lab_table())
    neutral = _below(chroma, _neutral_chroma(lightness, hue, is_light_known), 1.7)
    shares = dict.fromkeys(COLOURS, np.zeros_like(lightness))
    black, white = _below(lightness, 33, 3), _above(lightness, 86, 2.5)
    shares |= {"black": neutral * black, "white": neutral * white, "grey": neutral * (1 - black) * (1 - white)}
    families = _hue_families(hue, chroma)
    for family, split in _SPLITS.items():
        weight = (1 - neutral) * families[family]
        for name, part in split(lightness, chroma, hue).items():
            shares[name] = shares[name] + weight * part
    table = np.stack([shares[name] for name in COLOURS], 1)
    return np.asarray(table / table.sum(axis=1, keepdims=True), np.float32)


def _polar(lab: Floats) -> tuple[Floats, Floats, Floats]:
    """Return L*, chroma and the hue angle in degrees, 0 to 360, of colours in rows."""
    lightness, a, b = lab.T
    return lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _above(values: Floats, limit: float | Floats, softness: float) -> Floats:
    """Return how far the values are above the limit: 0 to 1, 0.5 at the limit itself."""
    return np.asarray(1 / (1 + np.exp(-np.clip((values - limit) / softness, -30, 30))), np.float32)


def _below(values: Floats, limit: float | Floats, softness: float) -> Floats:
    return 1 - _above(values, limit, softness)


def _neutral_chroma(lightness: Floats, hue: Floats, is_light_known: bool) -> Floats:
    """Return the chroma below which a colour passes for grey.

    Blues and dark browns look coloured at less chroma than other hues; near white a warm tint may be the lamp's.
    """
    limit = np.where((hue > 200) & (hue < 310), 5.0, 7.0)  # noqa: PLR2004 - hue angles, as in the whole chart
    limit = np.where(lightness < 22, 4.5, limit)  # noqa: PLR2004 - L*, as in the whole chart
    is_warm_white = (hue > 60) & (hue < 120)  # noqa: PLR2004 - hue angles
    warm_white = _WARM_WHITE[is_light_known]
    limit = np.where(lightness > 85, np.where(is_warm_white, warm_white, 6.0), limit)  # noqa: PLR2004 - L*
    is_dark_warm = (hue > 25) & (hue < 85) & (lightness < 45)  # noqa: PLR2004 - hue angles and L*
    limit = np.where(is_dark_warm, np.clip(2.6 + 0.06 * lightness, 0, 7), limit)
    return np.asarray(limit if is_light_known else _UNKNOWN_LIGHT * limit, np.float32)


def _hue_families(hue: Floats, chroma: Floats) -> dict[str, Floats]:
    """Return six soft sectors of the hue circle, summing to 1 everywhere.

    CIE Lab bends blue: pure sRGB blue lies at 306 degrees, where a pale colour is a lilac already.
    """
    violet = 298 + np.clip(0.25 * (chroma - 40), 0, 14)
    edges: dict[str, tuple[float, float | Floats]] = {
        "red": (-24, 36),
        "orange": (36, 72),
        "yellow": (72, 104),
        "green": (104, 200),
        "blue": (200, violet),
    }
    signed = np.where(hue > 336, hue - 360, hue)  # noqa: PLR2004 - where purple becomes red
    sectors = {name: _above(signed, low, 5) * _below(signed, high, 5) for name, (low, high) in edges.items()}
    sectors["purple"] = _above(hue, violet, 5) * _below(hue, 336, 5)
    total = np.sum(list(sectors.values()), axis=0)
    return {name: sector / total for name, sector in sectors.items()}


def _split_red(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    """Split reds from pinks (lighter, or towards magenta), purples (dark magenta) and browns (dull)."""
    signed = np.where(hue > 180, hue - 360, hue)  # noqa: PLR2004 - half the circle
    light = _above(lightness, np.float32(45) + np.float32(0.9) * np.clip(signed, 0, 25), 3)
    magenta = _below(signed, 8, 5) * _above(lightness, 38, 4)
    pink = np.maximum(light, magenta)
    pink = np.where((signed > 22) & (chroma > 50), 0.3 * pink, pink)  # noqa: PLR2004 - a vivid warm red is no pink
    purple = 0.6 * _below(signed, 2, 4) * _below(lightness, 36, 4)
    brown = (1 - purple) * _below(chroma, 22, 3) * _above(signed, 16, 4) * _below(lightness, 50, 4)
    rest = 1 - purple - brown
    return {"purple": purple, "brown": brown, "pink": rest * pink, "red": rest * (1 - pink)}


def _split_orange(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    """Split oranges and reds (vivid) from beiges (light and dull) and browns (the rest)."""
    beige = _above(lightness, 66, 4) * _below(chroma, 36, 4)
    bright = _above(lightness, 48, 4)
    dark_red, full_red = _below(hue, 50, 4) * (1 - bright), _below(hue, 45, 3) * _below(lightness, 57, 3)
    red = _above(chroma, 50, 4) * np.maximum(dark_red, full_red) * (1 - beige)
    orange = _above(chroma, 46, 4) * bright * (1 - beige) * (1 - red)
    return {"beige": beige, "orange": orange, "red": red, "brown": 1 - beige - orange - red}


def _split_yellow(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    """Split yellows (vivid and light) from beiges (dull), olive greens and browns.

    The paler a yellow, the less chroma it has; a cream has as much, and a hue nearer to orange.
    """
    is_very_pale = lightness > _VERY_PALE
    is_pale = lightness > 80  # noqa: PLR2004 - L*
    most = np.where(is_pale, 26, 32) - np.where(is_very_pale, np.clip(2 * (hue - 96), 0, 13), 0)
    least = np.where(is_very_pale, 15, np.where(is_pale, 28, 40))
    beige = _above(lightness, 58, 4) * _below(chroma, most, 4)
    yellow = _above(chroma, least, 4) * _above(lightness, 60, 4) * (1 - beige)
    olive = _above(hue, 90, 4) * (1 - beige - yellow)
    return {"beige": beige, "yellow": yellow, "green": olive, "brown": 1 - beige - yellow - olive}


def _split_green(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    """Split greens from creams and light yellows, whose hue is just beyond yellow's."""
    pale_yellow = _above(lightness, _VERY_PALE, 3) * _above(chroma, 13, 2) * _below(hue, 113, 3)
    light_yellow = _above(lightness, 85, 3) * _above(chroma, 30, 4) * _below(hue, 112, 3)
    beige = _above(lightness, 75, 3) * _below(chroma, 22, 3) * _below(hue, 122, 5) * (1 - pale_yellow)
    yellow = np.maximum(pale_yellow, light_yellow) * (1 - beige)
    return {"beige": beige, "yellow": yellow, "green": 1 - beige - yellow}


def _split_blue(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    """Return blues; people call a dark teal blue or green, so it is half of each."""
    del chroma
    green = np.float32(0.5) * _below(hue, 232, 5) * _below(lightness, 42, 4)
    return {"green": green, "blue": 1 - green}


def _split_purple(lightness: Floats, chroma: Floats, hue: Floats) -> dict[str, Floats]:
    del chroma, hue
    return {"purple": np.ones_like(lightness)}


_SPLITS = {
    "red": _split_red,
    "orange": _split_orange,
    "yellow": _split_yellow,
    "green": _split_green,
    "blue": _split_blue,
    "purple": _split_purple,
}
