"""Detects a file's type from its own bytes, before any decoder sees them."""

from __future__ import annotations

from pipeline.errors import ImageRejected
from pipeline.reject_reasons import RejectReason

HEAD_BYTES = 64  # enough for every signature below, and for the usual brands of an ISO media file
_BRAND_BYTES = 4

# Formats we read, under Pillow's names.
_READ: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
)

# Pictures we do not read, under their common names.
_UNREAD: tuple[tuple[bytes, str], ...] = (
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"\x00\x00\x01\x00", "Windows icon"),
    (b"\x00\x00\x02\x00", "Windows cursor or Targa"),
    (b"icns", "Apple icon"),
    (b"\x8bJNG", "JNG"),
    (b"\x8aMNG", "MNG"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"IIU\x00", "camera raw"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera raw"),
    (b"FOVb", "camera raw"),
    (b"\x00MRM", "camera raw"),
    (b"DDS ", "DirectDraw"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"qoif", "QOI"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"\x01\xda", "SGI"),
    (b"Y\xa6j\x95", "Sun raster"),
    (b"#define ", "XBM"),
    (b"/* XPM", "XPM"),
    *((b"\x0a" + bytes([version]) + b"\x01", "PCX") for version in range(6)),
    *((b"P" + bytes([kind]) + space, "Netpbm") for kind in b"1234567" for space in (b"\n", b" ", b"\t", b"\r")),
)

_MARKER, _SCAN, _LOSSLESS_FRAME = 0xFF, 0xDA, 0xC3
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # these three are tables and an extension

# The brands of ISO/IEC 23008-12 (HEIF), by codec: HEVC, its layered form, H.264, JPEG, JPEG 2000, VVC and EVC, and the
# structural brands.
_HEIF_BRANDS = frozenset(
    brand.encode()
    for brand in (
        *("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"),
        *("avci", "avcs", "jpeg", "jpgs", "j2ki", "j2is", "vvic", "vvis", "evbi", "evbs", "evmi", "evms"),
        *("mif1", "mif2", "mif3", "miaf", "msf1", "heif", "1pic", "unif"),
    )
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def picture_format(data: bytes) -> str:
    """Return Pillow's name of the format by its first bytes: one of the seven that we read.

    Raises:
        ImageRejected: ``empty``, ``format`` (a picture we don't read), or ``not_image``.
    """
    if not data:
        raise ImageRejected(RejectReason.EMPTY, "the file has 0 bytes")
    head = data[:HEAD_BYTES]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _iso_media_format(head)
    if head[:3] == b"II*" and head[8:10] == b"CR":
        raise _unread("camera raw")
    return _format_of_signature(head)


def _format_of_signature(head: bytes) -> str:
    for signature, name in _READ:
        if head.startswith(signature):
            return name
    for signature, name in _UNREAD:
        if head.startswith(signature):
            raise _unread(name)
    raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are not those of a picture")


def _iso_media_format(head: bytes) -> str:
    end = min(int.from_bytes(head[:4], "big"), HEAD_BYTES)
    major = head[8:12]
    compatible = {head[offset : offset + _BRAND_BYTES] for offset in range(16, end, _BRAND_BYTES)}
    if major in _AVIF_BRANDS or (major in _HEIF_BRANDS and compatible & _AVIF_BRANDS):
        return "AVIF"
    if major in _HEIF_BRANDS:
        raise _unread("HEIC")
    if major == b"crx ":
        raise _unread("camera raw")
    raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are those of a film or a sound")


def _unread(name: str) -> ImageRejected:
    return ImageRejected(RejectReason.FORMAT, f"{name} is not supported; convert to JPEG")


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a WebP in pixels, or None if the header is damaged.

    Opening a WebP already allocates two canvases of that size, so it must be checked first
    (layout: RFC 9649, sections 2.5 to 2.7).
    """
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:  # noqa: PLR2004 - flags, 3 reserved, 3 + 3 bytes of size
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L" and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def is_lossless_jpeg(data: bytes) -> bool:
    """Return whether the first frame of a JPEG is lossless: no decoder can shrink it while reading.

    Markers as in ITU-T T.81, table B.1: 0xC3 begins such a frame, 0xDA the first scan.
    """
    offset = 2
    while offset + 4 <= len(data) and data[offset] == _MARKER:
        marker = data[offset + 1]
        if marker in _FRAMES or marker == _SCAN:
            return marker == _LOSSLESS_FRAME
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return False
