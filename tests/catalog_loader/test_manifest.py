"""Manifests: what is read, and every mistake by its file and line."""

from __future__ import annotations

import gc
import gzip
import io
import re
from typing import TYPE_CHECKING

import pytest

from catalog_loader.candidates import Candidate
from catalog_loader.manifest import Manifest, manifest_at
from pipeline.csv_rows import MAX_LINE_BYTES
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.listing import Listing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the manifest lies."""
    return tmp_path / "catalogue.csv"


def images_of(path: Path, text: str | bytes) -> list[tuple[str, str | None]]:
    """Return the keys and products that a manifest of this text names."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(found.image.key, found.product) for found in Manifest(path).images()]


def mistake_of(path: Path, text: str | bytes) -> str:
    """Return what is said of a manifest of this text, after the name of the file."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CallerError) as mistake:
        Manifest(path).check()
    assert str(mistake.value).startswith(str(path))
    assert "\n" not in str(mistake.value)
    return str(mistake.value).removeprefix(str(path))


def test_images_come_in_the_order_of_the_file_with_their_products(path: Path) -> None:
    path.write_text("image,product\ns3://shop/b.jpg,boot\ns3://other/a.jpg,\n")

    assert list(Manifest(path).images()) == [
        Candidate(ImageRef("shop", "b.jpg"), product="boot"),
        Candidate(ImageRef("other", "a.jpg")),
    ]
    assert Manifest(path).check() == 2


@pytest.mark.parametrize(
    "text",
    [
        "image\ns3://shop/a.jpg\n",
        "image\r\ns3://shop/a.jpg\r\n",
        "image\ns3://shop/a.jpg",
        "\ufeffimage\ns3://shop/a.jpg\n",
        '"image"\n"s3://shop/a.jpg"\n',
        "image\n\n\ns3://shop/a.jpg\n\n",
        "colour,image,colour of the sole\nred,s3://shop/a.jpg,white\n",
        " image , price\ns3://shop/a.jpg,7\n",
        "image,product\ns3://shop/a.jpg,  \n",
    ],
    ids=ascii,
)
def test_a_manifest_may_look_as_programs_write_it(path: Path, text: str) -> None:
    assert images_of(path, text) == [("a.jpg", None)]


def test_a_manifest_may_name_any_key(path: Path) -> None:
    text = 'image\n"s3://shop/a,b ""c"".jpg"\n"s3://shop/two\nlines.jpg"\ns3://shop/ü+%20 👟\n'

    assert [key for key, _ in images_of(path, text)] == ['a,b "c".jpg', "two\nlines.jpg", "ü+%20 👟"]


@pytest.mark.parametrize(
    "data",
    [
        b"IMAGE;Product\r\ns3://shop/a.jpg;boot\r\n",
        b"product\timage\nboot\ts3://shop/a.jpg\n",
        "image,product\ns3://shop/a.jpg,boot\n".encode("utf-16"),
        "image;product\ns3://shop/a.jpg;boot\n".encode("utf-16-le").join([b"\xff\xfe", b""]),
        gzip.compress(b"image,product\ns3://shop/a.jpg,boot\n"),
        gzip.compress("image;product\ns3://shop/a.jpg;boot\n".encode("utf-16")),
    ],
    ids=["semicolons", "tabs", "UTF-16", "UTF-16 with semicolons", "gzip", "gzipped UTF-16"],
)
def test_a_manifest_may_come_as_spreadsheets_and_exports_write_it(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    assert [(named.image.key, named.product) for named in Manifest(path).images()] == [("a.jpg", "boot")]
    assert Manifest(path).check() == 1


def test_a_manifest_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"image\ns3://shop/a.jpg\n")))

    with manifest_at("-") as manifest:
        assert manifest.check() == len(list(manifest.images())) == 1


def test_an_image_that_stands_twice_is_found_twice(path: Path) -> None:
    assert len(images_of(path, "image\ns3://shop/a.jpg\ns3://shop/a.jpg\n")) == 2


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", " is empty; its first line must name the column image"),
        ("\ufeff", " is empty; its first line must name the column image"),
        ("image,product\n", " names no image"),
        ("file,product\na,b\n", ", line 1: there is no column image; the columns are file, product"),
        ("image|product\n", ", line 1: there is no column image; the columns are image|product"),
        ("s3://shop/a.jpg\n", ", line 1: there is no column image; the columns are s3://shop/a.jpg"),
        ("image,product,image\n", ", line 1: the column image appears twice"),
        ("image,price,price\n", ", line 1: the column price appears twice"),
        (
            "image\ns3://shop/a.jpg\nhttps://shop/b.jpg\n",
            ", line 3: 'https://shop/b.jpg' is not a place in S3; write s3:",
        ),
        ("image\n\n\ns3://shop\n", ", line 4: 's3://shop' names a bucket, not an image"),
        ("image\n" + '"s3://shop/a\nb"\nx\n', ", line 4: 'x' is not a place in S3"),
        ("image,product\n,boot\n", ", line 2: '' is not a place in S3"),
        ("image\ns3://shop/" + "k" * 1025 + "\n", ", line 2: a key has 1 to 1,024 bytes; this one has 1,025"),
        (
            "image,product\ns3://shop/a," + "p" * 1025,
            ", line 2: a product's id has 1 to 1,024 bytes; this one has 1,025",
        ),
        ("image,product\ns3://shop/a,b.jpg,boot\n", ", line 2: has 3 cells where the first line has 2"),
        ("image,product\ns3://shop/a.jpg\n", ", line 2: has 1 cells where the first line has 2"),
        ("image\nimage\n", ", line 2: 'image' is not a place in S3"),
        ("image\ns3://shop/a\n" + 'x"s3://shop/b"\n', ", line 3: 'x\"s3://shop/b\"' is not a place in S3"),
        ('image\n"s3://shop/a"x\n', ", line 2: is not CSV: ',' expected after '\"'"),
        ('image\ns3://shop/a\n"s3://shop/b\n', ", line 3: is not CSV: unexpected end of data"),
        (b"image\ns3://shop/a\ns3://shop/\xfc.jpg\n", ", line 3: is not UTF-8 from byte 11 on"),
        ("image\ns3://shop/ä\n".encode("utf-16")[:-1], ", line 2: is not UTF-16, as the first bytes of the file say"),
        (gzip.compress(b"image\ns3://shop/a\n" * 9, mtime=0)[:-9], " is damaged gzip: "),
        (
            "image,product\ns3://shop/a,boot\ns3://shop/b,hat\ns3://shop/a,shoe\n",
            ", lines 2 and 4 give the same image different products; keep one of them",
        ),
        (b"PAR1\x15\x04", " is Parquet; write it as CSV first"),
        ("image\ns3://shop/" + "k" * 70_000, f", line 2: has over {MAX_LINE_BYTES:,} bytes; the limit is"),
        ("image\n" + '"s3://shop/' + "k\n" * 100_000, "is not CSV: field larger than field limit"),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_a_mistake_is_said_with_its_line(path: Path, text: str | bytes, mistake: str) -> None:
    assert re.search(re.escape(mistake), mistake_of(path, text))


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    path.mkdir()

    with pytest.raises(CallerError, match=r"catalogue\.csv cannot be read: Is a directory"):
        Manifest(path).check()


def test_what_the_shop_says_of_a_product_is_read_from_columns_of_that_name(
    path: Path,
) -> None:
    path.write_text("Title,image,stock,url\nRunner,s3://shop/a.jpg,7,https://shop.example/a\n,s3://shop/b.jpg,0,\n")

    assert [candidate.listing for candidate in Manifest(path).images()] == [
        Listing("Runner", url="https://shop.example/a"),
        Listing(),
    ]


def test_a_listing_that_cannot_be_kept_is_said_with_its_line(path: Path) -> None:
    text = f"image,title,url\ns3://shop/a.jpg,{'x' * 501},\n"

    assert mistake_of(path, text) == ", line 2: the title has 501 characters; the limit is 500"
    assert "line 2: the url 'shop/a' is no link" in mistake_of(path, "image,url\ns3://shop/a.jpg,shop/a\n")


@pytest.mark.filterwarnings("error")
def test_a_mistake_in_a_manifest_in_utf_16_is_said_and_nothing_else(path: Path) -> None:
    path.write_bytes("image\ns3://shop/a.jpg\nshop/b.jpg\ns3://shop/c.jpg\n".encode("utf-16"))

    with pytest.raises(CallerError, match="line 3"):
        Manifest(path).check()
    gc.collect()  # a generator that is left behind complains only when it is collected


def test_a_mistake_in_standard_input_names_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"image\nshop/a.jpg\n")))

    with manifest_at("-") as manifest, pytest.raises(CallerError, match=r"^standard input, line 2: "):
        manifest.check()
