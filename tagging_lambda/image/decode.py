"""Reading pictures nobody promised were good. Pillow's only door."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import (  # the plugins by name, so that Pillow never loads the other 36
    AvifImagePlugin,  # noqa: F401 - importing registers the format
    BmpImagePlugin,  # noqa: F401 - as above
    GifImagePlugin,  # noqa: F401 - as above
    Image,
    ImageChops,
    ImageCms,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401 - as above
    PngImagePlugin,  # noqa: F401 - as above
    TiffImagePlugin,  # noqa: F401 - as above
    WebPImagePlugin,  # noqa: F401 - as above
)

from pipeline.errors import ImageRejected
from pipeline.images import check_file_size
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.file_type import is_lossless_jpeg, picture_format, webp_size
from tagging_lambda.image.picture import Picture
from tagging_lambda.image.signals import FACTS_SIDE_PIXELS, FileSize, facts_of, level_at
from tagging_lambda.image.subject import SMALL_SIDE_PIXELS, SubjectBox, find_subject
from tagging_lambda.model_card import WHOLE, InputContract

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Each limit accepts all of 6,780 honest photos and rejects every harmful one of 30,393 files, measured with Pillow 13.
MAX_PIXELS = 64_000_000  # the largest honest file had 41 million
MIN_SIDE_PIXELS = 16  # smaller ones are trackers and spacers
LOW_INFORMATION_DEVIATION = 1.0  # of 255 levels: a nearly constant picture says nothing
# Levels between the darkest and the lightest hundredth of a picture: at 32, those two alone make a deviation of 2.
_CERTAIN_CONTRAST = 32

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})
_WHITE = (255, 255, 255)
_STRIP_PIXELS = 1_000_000  # chosen by us: a strip's copies stay under 10 MB for any picture
_PROFILE_SPACE = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
_TOO_DEEP = frozenset({"F", "I"})


def read_picture(data: bytes, contract: InputContract) -> Picture:
    """Return the picture in the file, upright, on white, in sRGB, at the contract's size.

    Raises:
        ImageRejected: with the reason and the limit. No file raises anything else.
    """
    check_file_size(len(data))
    kind = picture_format(data)
    try:
        return _read(data, kind, contract)
    except ImageRejected:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels("more than Pillow opens at all") from error
    except Exception as error:
        # Damaged files raise nearly any type, and the message may be an attacker's text: only the type is kept.
        raise ImageRejected(RejectReason.CORRUPT, f"the {kind} data is damaged ({type(error).__name__})") from error


def encode_webp(levels: NDArray[np.uint8], quality: int) -> bytes:
    """Return a picture, uint8 [H, W, 3] in RGB, as a WebP file of this quality, 0 to 100."""
    file = BytesIO()
    Image.fromarray(levels).save(file, "WEBP", quality=quality)
    return file.getvalue()


def _read(data: bytes, kind: str, contract: InputContract) -> Picture:
    with warnings.catch_warnings():
        # Our own limit, checked next, is below the one that Pillow warns of; metadata warnings are irrelevant.
        warnings.simplefilter("ignore")
        if kind == "WEBP" and (size := webp_size(data)):
            _check_size(*size)
        picture = Image.open(BytesIO(data), formats=(kind,))
        width, height = picture.size
        _check_size(width, height)
        if isinstance(picture, JpegImagePlugin.JpegImageFile) and not is_lossless_jpeg(data):
            wanted = contract.shorter_side_pixels
            picture.draft(None, (wanted, wanted))
        picture.load()  # first, and only once: a second call would succeed with half a picture
        if kind == "TIFF":
            width, height = picture.size  # after load(), which rotates it
        orientation = _orientation(picture)
        rgb = _srgb(picture, contract.shorter_side_pixels)
    if orientation in _SIDEWAYS:
        width, height = height, width
    reduced = _reduced(rgb)
    fitted, small = (_turned(picture, orientation) for picture in (_fitted(rgb, reduced, contract), _small(reduced)))
    return _measured(fitted, small, FileSize(width, height, len(data), kind))


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f"{width:,} x {height:,}")
    if min(width, height) < MIN_SIDE_PIXELS:
        size = f"the picture is {width:,} x {height:,} pixels"
        raise ImageRejected(RejectReason.TOO_SMALL, f"{size}; the shortest side must have at least {MIN_SIDE_PIXELS}")


def _too_many_pixels(size: str) -> ImageRejected:
    return ImageRejected(RejectReason.PIXELS, f"the picture has {size} pixels; the limit is {MAX_PIXELS:,}")


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if none can be read: broken metadata is not a broken picture."""
    try:
        value = picture.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - the metadata's parser may raise anything, and the pixels are good
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _srgb(picture: Image.Image, wanted_side: int) -> Image.Image:
    """Return the picture in sRGB, on white, no larger than needed if it had to be converted."""
    if picture.mode in _TOO_DEEP:
        raise ImageRejected(RejectReason.UNSUPPORTED, "pictures of 32 bits a channel are not supported; use 8 or 16")
    profile = picture.info.get("icc_profile")
    if picture.mode != "RGB" or picture.has_transparency_data or profile:
        factor = max(1, min(picture.size) // (2 * wanted_side))
        picture = _with_profile(_flattened(picture, factor), profile)
    return picture


def _flattened(picture: Image.Image, factor: int) -> Image.Image:
    """Return the picture as 8-bit without palette and transparency, reduced by a whole factor, strip by strip.

    Strips bound the memory: a large transparent picture as a whole would be copied three times at 4 bytes a pixel.
    """
    width, height = picture.size
    rows = max(factor, _STRIP_PIXELS // width // factor * factor)
    flat: Image.Image | None = None
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        strip = _flat(picture if box[3] - top == height else picture.crop(box), picture.info)
        small = strip.reduce(factor) if factor > 1 else strip
        if flat is None:
            flat = Image.new(small.mode, (-(-width // factor), -(-height // factor)))
        flat.paste(small, (0, top // factor))
    return cast("Image.Image", flat)


def _flat(strip: Image.Image, info: dict[str | tuple[int, int], object]) -> Image.Image:
    if strip.mode.startswith("I;16"):
        high = np.asarray(strip) >> 8  # convert() would clip at 255 and turn the picture white
        return Image.fromarray(high.astype(np.uint8))
    strip.info = dict(info)
    if strip.has_transparency_data:
        with_alpha = strip.convert("RGBA")
        white = Image.new("RGB", strip.size, _WHITE)
        white.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return white
    if strip.mode in _PROFILE_SPACE:
        return strip
    return strip.convert("L" if strip.mode == "1" else "RGB")


def _with_profile(flat: Image.Image, profile: object) -> Image.Image:
    """Return the picture in sRGB, by its embedded profile if that fits its colours."""
    if isinstance(profile, bytes) and profile:
        with suppress(Exception):  # a broken profile is not a broken picture: it is ignored
            transform = _to_srgb(profile, flat.mode)
            if transform is not None:
                return cast("Image.Image", ImageCms.applyTransform(flat, transform))
    if flat.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return cast("Image.Image", ImageCms.profileToProfile(flat, lab, _srgb_profile(), outputMode="RGB"))
    return flat.convert("RGB")


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from the profile to sRGB; None if it is sRGB already or does not fit the mode."""
    opened = ImageCms.ImageCmsProfile(BytesIO(profile))
    if opened.profile.xcolor_space != _PROFILE_SPACE[mode]:
        return None
    if mode == "RGB" and (opened.profile.profile_description or "").startswith("sRGB"):
        return None
    return ImageCms.buildTransform(opened, _srgb_profile(), mode, "RGB")


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _reduced(rgb: Image.Image) -> Image.Image:
    """Return the picture reduced by a whole factor, its shorter side near ``SMALL_SIDE_PIXELS``."""
    factor = max(1, min(rgb.size) // SMALL_SIDE_PIXELS)
    return rgb.reduce(factor) if factor > 1 else rgb


def _fitted(rgb: Image.Image, reduced: Image.Image, contract: InputContract) -> Image.Image:
    """Return the picture at the model's size. Every fit is symmetric, so it may be rotated afterwards."""
    size = (contract.width_pixels, contract.height_pixels)
    if contract.fit == "squash":
        return rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if contract.fit == "pad":
        return _padded(rgb, size)
    if contract.fit == WHOLE:
        return _whole(rgb, size)
    subject = _subject(rgb, reduced) if contract.fit == "subject" else None
    if subject is None:
        box = _middle(SubjectBox(0, 0, *rgb.size), contract, contract.shorter_side_pixels)
    else:  # it includes a margin, so nothing of its shorter side is cropped
        box = _middle(subject, contract, min(size))
    return rgb.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)


def _subject(rgb: Image.Image, reduced: Image.Image) -> SubjectBox | None:
    subject = find_subject(np.asarray(reduced))
    return subject.scaled(rgb.width / reduced.width, rgb.height / reduced.height) if subject else None


def _middle(whole: SubjectBox, contract: InputContract, shorter_side_pixels: int) -> SubjectBox:
    """Return the middle of a box, in the model's proportions, as cropped from a shorter side of that size.

    Squashing and padding name fewer things than cropping (DECISIONS.md, 16 and 30), and the whole shorter side of a
    subject's box names more than a part of it (DECISIONS.md, 75).
    """
    width, height = whole.right - whole.left, whole.bottom - whole.top
    shorter = min(width, height) / shorter_side_pixels
    across = max(0.0, (width - contract.width_pixels * shorter) / 2)
    down = max(0.0, (height - contract.height_pixels * shorter) / 2)
    return SubjectBox(whole.left + across, whole.top + down, whole.right - across, whole.bottom - down)


def _padded(rgb: Image.Image, size: tuple[int, int]) -> Image.Image:
    scale = min(size[0] / rgb.width, size[1] / rgb.height)
    inner = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    canvas = Image.new("RGB", size, _WHITE)
    small = rgb.resize(inner, Image.Resampling.BICUBIC, reducing_gap=2.0)
    canvas.paste(small, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return canvas


def _whole(rgb: Image.Image, most: tuple[int, int]) -> Image.Image:
    scale = min(1.0, most[0] / rgb.width, most[1] / rgb.height)
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    return rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _small(reduced: Image.Image) -> Image.Image:
    """Return the whole, uncropped picture, with its longer side as the facts need it."""
    scale = FACTS_SIDE_PIXELS / max(reduced.size)
    size = (max(8, round(reduced.width * scale)), max(8, round(reduced.height * scale)))
    return reduced.resize(size, Image.Resampling.BOX, reducing_gap=1.0)


def _turned(small: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return small if turn is None else small.transpose(turn)


def _measured(fitted: Image.Image, small: Image.Image, file: FileSize) -> Picture:
    grey = fitted.convert("L")
    levels = np.asarray(grey.histogram())
    contrast = level_at(levels, 0.99) - level_at(levels, 0.01)
    is_low = contrast < _CERTAIN_CONTRAST and _deviation(fitted) < LOW_INFORMATION_DEVIATION
    facts = facts_of(np.asarray(small), _sharpness(grey, contrast), file)
    return Picture(np.asarray(fitted), file.width_pixels, file.height_pixels, is_low, facts)


def _sharpness(grey: Image.Image, contrast: int) -> float:
    """Return the step between neighbours that 1 in 200 exceeds, as a share of the picture's contrast in levels."""
    width, height = grey.size
    across = ImageChops.difference(grey.crop((1, 0, width, height)), grey.crop((0, 0, width - 1, height)))
    down = ImageChops.difference(grey.crop((0, 1, width, height)), grey.crop((0, 0, width, height - 1)))
    steps = np.asarray(across.histogram()) + np.asarray(down.histogram())
    return level_at(steps, 0.995) / max(contrast, 16)  # below 16 levels, noise would count as edges


def _deviation(small: Image.Image) -> float:
    """Return the largest standard deviation of a channel's levels."""
    counts = np.asarray(small.histogram(), np.float64).reshape(-1, 256)
    shares = counts / counts.sum(axis=1, keepdims=True)
    levels = np.arange(256)
    variance = shares @ levels**2 - (shares @ levels) ** 2
    return float(np.sqrt(variance.clip(0).max()))
