"""Facts of a photo from its small picture: border, product, exposure, colours. No second decode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.colours import COLOURS
from pipeline.facts import Margins, PhotoFacts, in_steps
from tagging_lambda.image.colour_chart import cells_of, lab_table, name_table, skin_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

FACTS_SIDE_PIXELS = 96  # of the longer side; chosen by us: 64 loses straps and laces, 128 doubles the time
RING_PIXELS = 2  # depth of the border in the small picture
WHITE_LEVEL = 248  # least level of white: JPEG moves pure white by up to 5
FRAME_DEPTH_PIXELS = 10  # greatest depth of a frame in the small picture
FRAME_STEP_LEVELS = 24  # least difference between a frame and its content
FRAME_EVENNESS = 0.97
_TOLERANCE = (4.0, 24.0)  # levels by which the background may differ from its median, least and most
_LEAST_PRODUCT_PIXELS = 60
_CENTRE_SPREAD = 0.26  # of the product's box: a worn garment is in the middle, its wearer's head and shoes are not
_HALVING_STEP = 70  # levels across a pixel's neighbours, both ways, at which it counts half: an edge mixes two colours
_GROUND_INSIDE = 0.1  # weight of enclosed pixels of the background's colour: a handle's hole, or a white product
_STUDIO_WHITENESS = 0.5  # of the ring: a white ground shows that the light is neutral
# A model in a studio: as tall as the picture, and skin in the top of the box, where the head or the chest is.
_MODEL_HEIGHT, _HEAD_HEIGHT, _SKIN_OF_HEAD = 0.8, 0.22, 0.2
_MOST_SKIN = 0.85  # of the product; a tan coat or bag has the colour of skin all over
_SEPARABLE_FILL = (0.02, 0.97)  # shares of the picture for a product that stands out
_BLACK, _WHITE, _GREY, _BROWN = (COLOURS.index(name) for name in ("black", "white", "grey", "brown"))
_LEAST_CORRECTED = 0.05  # least neutral, or black, share of the product: smaller details are not corrected
_HIGHLIGHT = 62  # L*: neutral levels below it are highlights on black, those above shades on white
_GREY_UP_TO, _WHITE_FROM = 77, 88  # median L* of neutral pixels; between them whites and greys are mixed
_WARM_BLACK = 1.8  # mean a* of black pixels from which they are dark brown: black things have none
# Chosen on half of tests/quality/clothing_colours.csv.
_LIGHTEST_LEVEL, _LIGHTEST_SHARE = 245, 0.98  # what the lightest pixels of a well-lit photo reach, and all below them
_MOST_GAIN = 1.5
_PALETTE_QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
_LAB_OFFSET = 128  # a* and b* range from -128 to 127
_CLIPPED_BELOW, _CLIPPED_FROM = 4, 252


@dataclass(frozen=True, slots=True)
class FileSize:
    """What is known from the header and the file, before any pixel."""

    width_pixels: int
    height_pixels: int
    file_bytes: int
    format: str


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """The border ring of a small picture, and the product's mask.

    Attributes:
        median: int16 [3], the ring's median colour.
        evenness: the share of the ring near that colour.
        whiteness: the share of the ring that is white.
        distance: int16 [H, W], a pixel's largest channel difference from the median.
        product: bool [H, W], the pixels not reachable from an edge in a straight line over background.
    """

    median: NDArray[np.int16]
    evenness: float
    whiteness: float
    distance: NDArray[np.int16]
    product: Mask


def facts_of(small: Levels, sharpness: float, file: FileSize) -> PhotoFacts:
    """Return the facts of a photo.

    Args:
        small: uint8 [H, W, 3], RGB, upright, the whole picture with its longer side at ``FACTS_SIDE_PIXELS``.
        sharpness: of the model's picture, as a share of its contrast; above 1 it counts as 1.
        file: facts of the header and the file.
    """
    ground = _find_ground(small)
    if np.count_nonzero(ground.product) < _LEAST_PRODUCT_PIXELS:
        product, fill = np.ones(small.shape[:2], bool), 0.0
    else:
        product, fill = ground.product, float(ground.product.mean())
    height, width = small.shape[:2]
    box = _box_of(product)
    grey_levels = _luminance(small)
    cells = cells_of(_well_lit(small, grey_levels))
    weights = _weights(product, ground.distance, box, grey_levels)
    is_studio = ground.whiteness >= _STUDIO_WHITENESS
    if is_studio:
        weights = _without_model(weights, product, cells, box)
    cells, weights = cells[product], weights[product]
    lab = lab_table().take(cells, axis=0)  # four times as fast as an index
    return PhotoFacts(
        width_pixels=file.width_pixels,
        height_pixels=file.height_pixels,
        file_bytes=file.file_bytes,
        format=file.format,
        border_rgb=(int(ground.median[0]), int(ground.median[1]), int(ground.median[2])),
        border_evenness=in_steps(ground.evenness),
        border_whiteness=in_steps(ground.whiteness),
        frame=float(_has_frame(small)),
        fill=in_steps(fill),
        margins=Margins(
            in_steps(box[0] / width),
            in_steps(box[1] / height),
            in_steps(1 - box[2] / width),
            in_steps(1 - box[3] / height),
        ),
        sharpness=in_steps(sharpness),
        brightness=in_steps(float(grey_levels.mean()) / 255),
        clipped=in_steps(_clipped(grey_levels[product])),
        colour_shares=tuple(in_steps(share) for share in _colour_shares(cells, weights, lab, is_studio)),
        colour_certainty=in_steps(_certainty(ground, fill)),
        palette=_palette(lab),
    )


def _box_of(product: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(product.any(axis=1)), np.flatnonzero(product.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _find_ground(small: Levels) -> _Ground:
    ring = _ring(small, 0, RING_PIXELS).astype(np.int16)
    median = _value_at(ring, 0.5)
    distance_of_ring = _distance(ring, median)
    tolerance = min(max(2 * float(_value_at(distance_of_ring, 0.75)) + 3, _TOLERANCE[0]), _TOLERANCE[1])
    distance = _distance(small, median)
    return _Ground(
        median,
        float((distance_of_ring <= tolerance).mean()),
        float(np.logical_and.reduce(ring.T >= WHITE_LEVEL).mean()),
        distance,
        ~_reached_from_edges(distance <= tolerance),
    )


def _ring(small: NDArray[Any], first: int, last: int) -> NDArray[Any]:
    """Return the pixels of the ring between two depths from the edge: [n, channels], of [H, W, channels]."""
    whole = small[first : small.shape[0] - first, first : small.shape[1] - first]
    depth = last - first
    sides = (whole[:depth], whole[-depth:], whole[depth:-depth, :depth], whole[depth:-depth, -depth:])
    return np.concatenate([side.reshape(-1, small.shape[2]) for side in sides])


def _reached_from_edges(passable: Mask) -> Mask:
    """Return the part of a mask reachable from an edge in a straight line: a cheap flood fill in four passes."""
    across = _reached_from_ends(passable)
    return across | _reached_from_ends(np.ascontiguousarray(passable.T)).T


def _reached_from_ends(lines: Mask) -> Mask:
    """Return bool [H, W]: the part of each row reachable from one of its ends."""
    width = lines.shape[1]
    is_open = lines.all(axis=1)
    first = np.where(is_open, width, lines.argmin(axis=1))[:, None]
    last = np.where(is_open, -1, width - 1 - lines[:, ::-1].argmin(axis=1))[:, None]
    columns = np.arange(width)
    return np.asarray((columns < first) | (columns > last))


# The network's activation would add little to these weights (DECISIONS.md, 142).
def _weights(
    product: Mask, distance: NDArray[np.int16], box: tuple[int, int, int, int], grey_levels: Levels
) -> NDArray[np.float32]:
    """Return each pixel's weight in the product's colour: float32 [H, W], highest in its box's middle, low at edges."""
    left, top, right, bottom = box
    height, width = product.shape
    rows = (np.arange(height, dtype=np.float32) - (top + bottom - 1) / 2) / (bottom - top)
    columns = (np.arange(width, dtype=np.float32) - (left + right - 1) / 2) / (right - left)
    bell = np.exp(-0.5 * (rows / _CENTRE_SPREAD) ** 2)[:, None] * np.exp(-0.5 * (columns / _CENTRE_SPREAD) ** 2)
    inside = np.where(distance <= 2, _GROUND_INSIDE * bell, bell)  # noqa: PLR2004 - levels: JPEG noise
    return np.asarray(inside / (1 + _steepness(grey_levels) / _HALVING_STEP), np.float32)


# A model's skin and hair are not the garment (DECISIONS.md, 165).
def _without_model(
    weights: NDArray[np.float32], product: Mask, cells: NDArray[np.int32], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Return the weights with those of a model's head and skin set to 0, if a model wears the product.

    Args:
        weights: float32 [H, W], of each pixel.
        product: bool [H, W].
        cells: int32 [H, W], the pixels as rows of the chart.
        box: the product's left, top, right and bottom.
    """
    _, top, _, bottom = box
    if bottom - top <= _MODEL_HEIGHT * len(product):
        return weights
    skin = skin_table().take(cells) & product
    neck = top + round(_HEAD_HEIGHT * (bottom - top))
    least, most = _SKIN_OF_HEAD * product[top:neck].sum(), _MOST_SKIN * product.sum()
    if skin[top:neck].sum() < least or skin.sum() > most:
        return weights
    garment = np.where(skin, np.float32(0), weights)
    garment[:neck] = 0
    return garment


def _steepness(grey: Levels) -> NDArray[np.float32]:
    """Return by how many levels the neighbours of each pixel differ, across and down added: float32 [H, W]."""
    steps = np.zeros(grey.shape, np.float32)
    steps[:, 1:-1] += _differences(grey[:, 2:], grey[:, :-2])
    steps[1:-1] += _differences(grey[2:], grey[:-2])
    return steps


# A camera indoors leaves even white things dim (DECISIONS.md, 132).
def _well_lit(small: Levels, grey_levels: Levels) -> Levels:
    """Return the picture brightened until its lightest pixels are nearly white, but by no more than ``_MOST_GAIN``.

    Args:
        small: uint8 [H, W, 3], RGB.
        grey_levels: uint8 [H, W], its luminance.
    """
    lightest = max(1, level_at(np.bincount(grey_levels.ravel()), _LIGHTEST_SHARE))
    if lightest >= _LIGHTEST_LEVEL:
        return small
    gain = min(_LIGHTEST_LEVEL / lightest, _MOST_GAIN)
    return np.asarray((np.arange(256) * gain).clip(0, 255), np.uint8).take(small)


# Each step needs the photo as a whole, which a table of single colours lacks (DECISIONS.md, 140).
def _colour_shares(
    cells: NDArray[np.int32], weights: NDArray[np.float32], lab: NDArray[np.float32], is_studio: bool
) -> NDArray[np.float32]:
    """Return the share of each of ``COLOURS``, float32 [12].

    Args:
        cells: int32 [n], the product's pixels as rows of the chart.
        weights: float32 [n], each pixel's weight.
        lab: float32 [n, 3], CIE Lab of the cells.
        is_studio: the ground is white, so the light has no colour and a faint tint is the product's.
    """
    names = name_table(is_studio).take(cells, axis=0)
    total = float(weights.sum()) or 1.0
    shares = np.asarray(weights @ names / np.float32(total), np.float32)
    lightness = lab[:, 0]
    neutral = weights * (names[:, _BLACK] + names[:, _WHITE] + names[:, _GREY])
    counts = np.bincount(lightness.astype(np.int32).clip(0, 100), neutral, minlength=101).cumsum()
    if counts[-1] >= _LEAST_CORRECTED * total:
        grey = np.asarray(weights * names[:, _GREY] / total, np.float32)
        shares = _relit(shares, counts, grey, lightness)
    dark = weights * names[:, _BLACK]
    if is_studio and dark.sum() >= _LEAST_CORRECTED * total:
        _, red_green, yellow_blue = dark @ lab / dark.sum()
        if red_green >= _WARM_BLACK and yellow_blue > -1:
            shares = _moved(shares, _BLACK, _BROWN, float(shares[_BLACK]))
    return shares


def _relit(
    shares: NDArray[np.float32],
    counts: NDArray[np.float64],
    grey: NDArray[np.float32],
    lightness: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the shares with highlights on black counted as black, and shades on white as white.

    A thing between white and grey is half of each: a small picture does not show whether it is white in the shade or
    grey in the light.

    Args:
        shares: float32 [12], of each of ``COLOURS``.
        counts: float64 [101], the weight of neutral pixels with at most this L*.
        grey: float32 [n], each pixel's part of the share of grey.
        lightness: float32 [n], L* of each pixel.
    """
    if np.searchsorted(counts, 0.4 * counts[-1]) < 40:  # noqa: PLR2004 - L* of a shining black thing
        shares = _moved(shares, _GREY, _BLACK, float(grey[lightness < _HIGHLIGHT].sum()))
    middle = np.searchsorted(counts, 0.5 * counts[-1])
    if middle >= _WHITE_FROM:
        return _moved(shares, _GREY, _WHITE, float(grey[lightness >= _HIGHLIGHT].sum()))
    if middle >= _GREY_UP_TO:
        return _moved(shares, _GREY, _WHITE, float(shares[_GREY] - shares[_WHITE]) / 2)
    return shares


def _moved(shares: NDArray[np.float32], source: int, target: int, share: float) -> NDArray[np.float32]:
    """Return the shares with that much of one colour moved to another."""
    moved = shares.copy()
    moved[source] -= share
    moved[target] += share
    return moved


def _certainty(ground: _Ground, fill: float) -> float:
    """Return how clearly the product stands out: the background's evenness, 0 if nothing or everything stands out."""
    least, most = _SEPARABLE_FILL
    return ground.evenness if least <= fill <= most else 0.0


def _palette(lab: NDArray[np.float32]) -> bytes:
    """Return five quantiles each of L*, a* and b*, a byte each: nearly invariant to cropping and mirroring."""
    picked = np.stack([_quantiles(channel) for channel in lab.T])
    picked = picked * np.array([2.55, 1, 1])[:, None] + np.array([0, 128, 128])[:, None]
    return bytes(picked.round().clip(0, 255).astype(np.uint8).ravel().tolist())


def _quantiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the palette's quantiles, in whole numbers: float64 [5]. Counting is ten times as fast as sorting."""
    counts = np.bincount(values.astype(np.int32) + _LAB_OFFSET, minlength=2 * _LAB_OFFSET).cumsum()
    return np.asarray(np.searchsorted(counts, _PALETTE_QUANTILES * counts[-1]) - _LAB_OFFSET, np.float64)


def _value_at(values: NDArray[np.int16], share: float) -> NDArray[np.int16]:
    """Return the value that this share of the rows does not exceed, for each column.

    np.quantile and np.median take two to ten times as long.
    """
    return np.asarray(np.sort(values, axis=0)[math.ceil(share * len(values)) - 1])


def _distance(pixels: NDArray[Any], colour: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return int16 [...]: each pixel's largest channel difference from the colour, in levels, of [..., 3]."""
    planes = (np.abs(pixels[..., channel] - colour[channel]) for channel in range(3))
    red, green, blue = planes
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _has_frame(small: Levels) -> bool:
    """Return whether an even line runs along all four edges and its content differs all around."""
    outer = _ring(small, 0, 1).astype(np.int16)
    colour = _value_at(outer, 0.5)
    if (_distance(outer, colour) <= _TOLERANCE[1]).mean() < FRAME_EVENNESS:
        return False
    differs = _distance(small, colour) > FRAME_STEP_LEVELS
    most = min(FRAME_DEPTH_PIXELS, min(small.shape[:2]) // 4)
    rows = differs[1:most].mean(axis=1)
    # An enclosed row lacks the frame's own pixels at both ends.
    depths = np.flatnonzero(rows >= FRAME_EVENNESS - 2 * FRAME_DEPTH_PIXELS / small.shape[1]) + 1
    return any(_ring(differs[..., None], depth, depth + 1).mean() >= FRAME_EVENNESS for depth in depths.tolist())


def _luminance(levels: Levels) -> Levels:
    """Return uint8 [H, W] by the integer weights of ITU-R BT.601, in 256ths."""
    red, green, blue = (levels[..., channel].astype(np.uint16) for channel in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def _differences(first: Levels, other: Levels) -> Levels:
    """Return the absolute difference of levels in single bytes, in which numpy is fastest."""
    return np.maximum(first, other) - np.minimum(first, other)


def level_at(counts: NDArray[np.int64], share: float) -> int:
    """Return the least level that this share does not exceed, of the count of each level: int64 [levels]."""
    return int(np.searchsorted(counts.cumsum(), share * counts.sum()))


def _clipped(grey: Levels) -> float:
    return float(((grey < _CLIPPED_BELOW) | (grey >= _CLIPPED_FROM)).mean())
