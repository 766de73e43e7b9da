"""What is alike, as people see it: uploads that are there already, a search by a photo, and colours they decide on."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from tests.page.states import SHOE

if TYPE_CHECKING:
    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Open = "Callable[..., Any]"  # opens a view


def a_copy(site: Site) -> dict[str, Any]:
    """Return a photo of the catalogue as somebody else may have it: cut, mirrored, half as large, recompressed."""
    photo = Image.open(site.photos[SHOE]).convert("RGB")
    width, height = photo.size
    cut = ImageOps.mirror(photo.crop((width // 20, height // 20, width, height))).resize((width // 2, height // 2))
    file = BytesIO()
    cut.save(file, "JPEG", quality=70)
    return {"name": "copy.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def test_an_upload_of_a_photo_that_is_there_says_so_with_a_link(open_page: Open, site: Site) -> None:
    page = open_page("upload")
    page.set_input_files("#files", a_copy(site))
    link = page.wait_for_selector(f".upload .same a:has-text('{SHOE}')")

    assert "You already have this photo" in page.inner_text(".upload .same")
    link.click()
    page.wait_for_selector(f"h1:has-text('{SHOE}')")


def test_a_photo_of_the_device_finds_what_looks_like_it(open_page: Open, site: Site) -> None:
    page = open_page()
    page.set_input_files("#photo", a_copy(site))
    page.wait_for_selector("[role=status]:has-text('What looks like copy.jpg')")

    names = [name.inner_text() for name in page.query_selector_all(".grid .card .name")]
    assert SHOE in names[:3]  # others of these tests have uploaded copies of it


def test_more_like_a_photo_stands_below_it_and_leads_on(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{SHOE}.jpg")
    page.wait_for_selector(".alike .card img")

    assert len(page.query_selector_all(".alike .card")) == 6
    links = [link.get_attribute("href") for link in page.query_selector_all(".alike .card a")]
    assert f"#/photo/{site.bucket}/{SHOE}.jpg" not in links


def test_a_colour_is_pinned_as_a_missing_word_and_taken_back(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{SHOE}.jpg")
    page.wait_for_selector(".keywords li")
    page.fill("#missing", "purple")
    page.keyboard.press("Enter")
    page.wait_for_selector(".colours .chip.human:has-text('purple')")
    page.click("[aria-label='Undo the decision on purple']")
    page.wait_for_selector(".colours .chip.human", state="detached")
