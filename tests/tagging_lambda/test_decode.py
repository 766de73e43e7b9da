"""Pictures come out as a person sees them, or are rejected with the reason a person can act on."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pipeline.errors import ImageRejected
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input
from tests.builders import CONTRACT, encoded, jpeg

EXIF_ORIENTATION = 0x0112


def read(data: bytes):
    return read_picture(data, CONTRACT)


def reason_of(data: bytes) -> RejectReason:
    with pytest.raises(ImageRejected) as rejected:
        read(data)
    return rejected.value.reason


def mean(data: bytes) -> list[int]:
    """Return the mean level of each channel."""
    return read(data).levels.mean(axis=(0, 1)).round().astype(int).tolist()


def halves(mode: str = "RGB") -> Image.Image:
    """Return a picture whose upper half is red and whose lower half is blue."""
    picture = Image.new(mode, (256, 256), "blue")
    picture.paste("red", (0, 0, 256, 128))
    return picture


def noise(size: tuple[int, int] = (300, 200), seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (size[1] // 10, size[0] // 10, 3), np.uint8)
    return Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_the_seven_formats_are_read(kind):
    assert mean(encoded(Image.new("RGB", (40, 30), (200, 100, 50)), kind)) == pytest.approx((200, 100, 50), abs=3)


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "JPEG2000", "PCX", "SGI"])
def test_other_pictures_are_refused(kind):
    assert reason_of(encoded(Image.new("RGB", (64, 64)), kind)) in {RejectReason.FORMAT, RejectReason.NOT_IMAGE}


def test_heic_is_refused_by_name_and_says_what_to_do():
    with pytest.raises(ImageRejected, match="HEIC is not supported; convert to JPEG"):
        read(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))


@pytest.mark.parametrize("brand", ["j2ki", "j2is", "avci", "jpeg", "vvic", "evbi", "hevm", "mif1", "msf1", "miaf"])
def test_every_brand_of_the_heif_standard_is_told_from_a_film(brand: str):
    with pytest.raises(ImageRejected, match="convert to JPEG"):
        read(b"\x00\x00\x00\x14ftyp" + brand.encode() + b"\x00\x00\x00\x00" + brand.encode() + bytes(100))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", RejectReason.EMPTY),
        (b"%PDF-1.7", RejectReason.NOT_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", RejectReason.NOT_IMAGE),
        (b"%!PS-Adobe-3.0 EPSF", RejectReason.NOT_IMAGE),
        (b"\x89PNG\r\n\x1a\n", RejectReason.CORRUPT),
        (b"\xff\xd8\xff", RejectReason.CORRUPT),
        (b"\xff\xd8\xff" + bytes(20 * 1024 * 1024), RejectReason.BYTES),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data, reason):
    assert reason_of(data) is reason


def test_a_picture_of_fifteen_pixels_is_too_small_and_one_of_sixteen_is_not():
    assert reason_of(encoded(Image.new("RGB", (15, 400)), "PNG")) is RejectReason.TOO_SMALL
    assert read(encoded(Image.new("RGB", (16, 400)), "PNG")).height_pixels == 400


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk + encoded(Image.new("RGB", (16, 16)), "PNG")[33:]


@pytest.mark.parametrize("size", [(8001, 8000), (12_000, 12_000), (20_000, 20_000), (2**31 - 1, 16)])
def test_too_many_pixels_are_refused_by_the_header(size):
    assert reason_of(png_claiming(*size)) is RejectReason.PIXELS


@pytest.mark.parametrize(
    "header",
    [
        b"VP8X\x0a\x00\x00\x00" + bytes(4) + (20_000).to_bytes(3, "little") + (20_000).to_bytes(3, "little"),
        b"VP8L\x0a\x00\x00\x00\x2f" + (16382 | 16382 << 14).to_bytes(4, "little"),
        b"VP8 \x0a\x00\x00\x00" + bytes(3) + b"\x9d\x01\x2a\xff\x3f\xff\x3f",
    ],
)
def test_a_webp_of_too_many_pixels_is_refused_before_its_canvas_is_set_aside(header):
    assert reason_of(b"RIFF\x00\x01\x00\x00WEBP" + header + bytes(100)) is RejectReason.PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind, orientation):
    """The stored picture is turned away from upright and says so; red must come out on top."""
    away = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    upright = halves().resize((512, 256))
    stored = upright if away is None else upright.transpose(away)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    picture = read(encoded(stored, kind, exif=exif.tobytes()))
    assert picture.levels[20, 112].argmax() == 0
    assert picture.levels[-20, 112].argmax() == 2
    assert (picture.width_pixels, picture.height_pixels) == (512, 256)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(value):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = value
    assert read(encoded(halves(), "PNG", exif=exif.tobytes())).levels[20, 112].argmax() == 0


def test_hidden_colours_below_full_transparency_are_white():
    assert mean(encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG")) == [255, 255, 255]
    assert mean(encoded(Image.new("LA", (64, 64), (0, 0)), "PNG")) == [255, 255, 255]


def test_half_transparency_is_half_white():
    half = encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 128)), "PNG")
    assert mean(half) == pytest.approx((255, 127, 127), abs=1)


def test_a_transparent_palette_colour_and_a_colour_key_are_white():
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    assert mean(encoded(palette, "PNG", transparency=0)) == [255, 255, 255]
    assert mean(encoded(Image.new("RGB", (64, 64), (1, 2, 3)), "PNG", transparency=(1, 2, 3))) == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_its_levels(kind):
    deep = Image.fromarray(np.full((64, 64), 0x8000, np.uint16))
    assert mean(encoded(deep, kind)) == [128, 128, 128]


def test_thirty_two_bits_are_unsupported():
    for levels in (np.zeros((64, 64), np.float32), np.zeros((64, 64), np.int32)):
        assert reason_of(encoded(Image.fromarray(levels), "TIFF")) is RejectReason.UNSUPPORTED


def test_cmyk_comes_out_in_its_colours():
    red = mean(encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"))
    assert red[0] > 200
    assert max(red[1:]) < 60


def test_lab_comes_out_in_its_colours():
    lab = ImageCms.applyTransform(
        Image.new("RGB", (64, 64), (200, 30, 30)),
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
    )
    assert mean(encoded(lab, "TIFF")) == pytest.approx((200, 30, 30), abs=6)


def test_a_broken_profile_or_one_for_other_colours_is_ignored():
    gray = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"no profile", gray):
        assert mean(encoded(Image.new("RGB", (64, 64), (200, 100, 50)), "PNG", icc_profile=profile)) == [200, 100, 50]


def test_a_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert mean(encoded(Image.new("RGB", (64, 64), (200, 100, 50)), "PNG", icc_profile=profile)) == [200, 100, 50]


def test_strips_make_no_seam():
    """A large picture that must be converted is read strip by strip; it looks like the same picture read at once."""
    large = noise((2400, 1800))
    whole = read(encoded(large, "PNG", compress_level=1)).levels.astype(int)
    in_strips = read(encoded(large.convert("RGBA"), "PNG", compress_level=1)).levels.astype(int)
    assert np.abs(whole - in_strips).mean() < 1.5
    assert np.abs(whole - in_strips).max() < 30


def test_a_nearly_constant_picture_is_read_and_flagged():
    assert read(jpeg("teal")).low_information
    assert not read(encoded(noise(), "PNG")).low_information


def test_only_the_first_frame_counts():
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        levels = mean(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert levels[0] > 200
        assert levels[2] < 60


def test_a_picture_as_long_as_a_ruler_is_read_at_the_models_size():
    assert read(encoded(Image.new("RGB", (16, 20_000), "red"), "PNG")).levels.shape == (224, 224, 3)


@pytest.mark.parametrize("size", [(333, 500), (500, 333), (225, 225), (1000, 777)])
def test_a_crop_as_wide_as_the_shorter_side_is_inside_the_picture(size):
    levels = read_picture(encoded(noise(size), "PNG"), replace(CONTRACT, shorter_side_pixels=224)).levels
    assert levels.shape == (224, 224, 3)


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_every_fit_gives_the_models_size_and_only_pad_adds_white(fit):
    levels = read_picture(encoded(Image.new("RGB", (400, 100), "red"), "PNG"), replace(CONTRACT, fit=fit)).levels
    assert levels.shape == (224, 224, 3)
    assert (levels[0].min() == 255) == (fit == "pad")


def test_the_models_input_is_in_the_contracts_colour_order_and_range():
    contract = replace(CONTRACT, colour_order="BGR", mean=(50.0, 100.0, 200.0), scale=(1.0, 0.5, 2.0))
    pictures = [read(encoded(Image.new("RGB", (64, 64), colour), "PNG")) for colour in ((210, 120, 60), (200, 100, 50))]
    pixels = model_input(pictures, contract)
    assert pixels.dtype == np.float32
    assert pixels.shape == (2, 3, 224, 224)
    assert pixels.flags.c_contiguous
    assert pixels[:, :, 0, 0].tolist() == [[10.0, 10.0, 20.0], [0.0, 0.0, 0.0]]


FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
GOOD = [encoded(noise(seed=seed), kind) for seed, kind in enumerate(FORMATS)]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=12),
    st.floats(0, 1),
)
def test_flipped_bits_and_cuts_end_as_a_picture_or_a_reason(good, flips, cut):
    damaged = bytearray(good[: max(1, int(len(good) * (1 - cut**8)))])
    for where, bit in flips:
        damaged[int(where * len(damaged))] ^= 1 << bit
    try:
        assert read(bytes(damaged)).levels.shape == (224, 224, 3)
    except ImageRejected as rejected:
        assert isinstance(rejected.reason, RejectReason)


def test_the_detail_of_a_rejection_never_holds_the_files_own_text():
    evil = b"GIF89a" + b"<script>alert(1)</script>" * 10
    with pytest.raises(ImageRejected) as rejected:
        read(evil)
    assert "script" not in str(rejected.value)
