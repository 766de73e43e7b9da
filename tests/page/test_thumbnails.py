"""What the page loads to show photos: small pictures of every format, and few bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Open = "Callable[..., Any]"  # opens a view
SHOWN = "() => [...document.querySelectorAll('.grid .card img')].filter((img) => img.naturalWidth > 0).length === 24"


def count_bytes(page: Any) -> dict[str, int]:
    """Count the bytes that come over the network, by what a thumbnail is and all else, from now on."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    received = {"thumbnails": 0, "others": 0}

    def note(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = "thumbnails" if "/v1/thumbnails/" in event["request"]["url"] else "others"

    def add(event: dict[str, Any]) -> None:
        received[kinds.get(event["requestId"], "others")] += int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", note)
    session.on("Network.loadingFinished", add)
    return received


def test_a_grid_of_24_photos_loads_under_a_megabyte_and_again_without_its_pictures(open_page: Open, site: Site) -> None:
    page = open_page("status")
    received = count_bytes(page)
    page.goto("about:blank")
    page.goto(site.at("search?by=image"))
    page.wait_for_function(SHOWN)
    first = dict(received)
    page.reload()
    page.wait_for_function(SHOWN)

    assert 24 * 1_000 < first["thumbnails"] < 500_000, first
    assert sum(first.values()) < 1_000_000, first
    assert received["thumbnails"] == first["thumbnails"]


def test_a_tiff_that_no_browser_shows_is_seen_upright(open_page: Open, site: Site) -> None:
    photo = next(iter(site.photos.values()))
    turned, file = Image.Exif(), BytesIO()
    turned[0x0112] = 6
    Image.open(photo).convert("RGB").resize((600, 300)).save(file, "TIFF", exif=turned)
    site.s3().put_object(Bucket=site.bucket, Key="turned.tiff", Body=file.getvalue())
    site.wait_for_record("turned.tiff")
    page = open_page(f"photo/{site.bucket}/turned.tiff")
    page.wait_for_function("() => document.querySelector('.large img')?.naturalWidth > 0")
    size = page.evaluate(
        "() => { const { naturalWidth: w, naturalHeight: h } = document.querySelector('.large img'); return [w, h]; }"
    )

    assert size == [300, 600]


def test_the_original_is_one_click_away(open_page: Open, site: Site) -> None:
    photo = next(iter(site.photos.values())).read_bytes()
    site.s3().put_object(Bucket=site.bucket, Key="original.jpg", Body=photo, ContentType="image/jpeg")
    site.wait_for_record("original.jpg")
    page = open_page(f"photo/{site.bucket}/original.jpg")
    with page.context.expect_page() as opened:
        page.click("button:has-text('Original')")
    opened.value.wait_for_url("**/original.jpg?**", wait_until="commit")
