"""The pictures of the documentation, made from the page as it is: ``PICTURES=docs/page`` keeps them there."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from tests.page.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOE, CAMERA = "ultraboost-running-shoe", "twin-lens-camera"
PHONE = {"viewport": {"width": 390, "height": 844}}
LEAST_COLOURS = 256  # of a picture, chosen by us: one of an empty page has some forty
PHOTO = f"photo/{{bucket}}/{SHOE}.jpg"
CLASS = ".classes .word:has-text('running shoe')"


def begin_word(page: Any, _: Site) -> None:
    """Type the beginning of a word, and choose the first suggestion."""
    page.focus("#q")
    page.keyboard.type("came", delay=40)
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")


def select_one(page: Any, _: Site) -> None:
    """Go on to the seventh photo, and select another."""
    for _step in range(6):
        page.keyboard.press("n")
    page.wait_for_selector(".candidate")
    page.wait_for_selector(".outlook strong")
    page.click(".strip input >> nth=3")


def add_views(page: Any, site: Site) -> None:
    """Add two more photos to the product: the shoe as in a mirror, and from near."""
    with Image.open(site.photos[SHOE]) as photo:
        views = {"mirrored": ImageOps.mirror(photo), "close": photo.crop((500, 300, 1300, 1000))}
    files = []
    for name, view in views.items():
        data = io.BytesIO()
        view.convert("RGB").save(data, "JPEG")
        files.append({"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": data.getvalue()})
    page.set_input_files("#more-photos", files)
    page.wait_for_selector("text=3 photos")
    page.wait_for_selector(".alike img")


def upload_three(page: Any, site: Site) -> None:
    """Upload two photos, and a file that is none."""
    photos = [
        {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": site.photos[name].read_bytes()}
        for name in (CAMERA, SHOE)
    ]
    page.set_input_files(
        "#files", [photos[0], {"name": "price-list.jpg", "mimeType": "image/jpeg", "buffer": b"%PDF-1.7\n"}, photos[1]]
    )
    page.wait_for_selector(".upload.done >> nth=1")
    page.wait_for_selector(".upload.rejected")


def compare_two(page: Any, site: Site) -> None:
    """Show a photo to two models that do not agree on all of it."""
    page.wait_for_selector("fieldset input >> nth=1")
    page.set_input_files("#file", str(site.photos["tulip-pot"]))
    page.wait_for_selector(".column >> nth=1")


# A test and no script, so that no picture outlives its view (DECISIONS.md, 118).
@dataclass(frozen=True)
class Picture:
    """A picture of the documentation: which view, what must be seen in it, and what is done before."""

    view: str
    ready: str
    prepare: Callable[[Any, Site], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


PICTURES = {
    "search": Picture("search", ".card img"),
    "suggestions": Picture("search", ".card img", begin_word),
    "photo": Picture(PHOTO, CLASS),
    "photo-dark-german": Picture(PHOTO, CLASS, options={"color_scheme": "dark", "locale": "de-DE"}),
    "review": Picture("review?of=all", ".candidate", select_one),
    "product": Picture(f"product/{SHOE}", ".photos img", add_views),
    "upload": Picture("upload", ".drop", upload_three),
    "compare": Picture("compare", "fieldset input", compare_two),
    "status": Picture("status", ".tile"),
    "phone-search": Picture("search", ".card img", options=PHONE),
    "phone-review": Picture("review?of=all", ".candidate", options=PHONE | {"color_scheme": "dark"}),
    "phone-upload": Picture("upload", ".drop", options=PHONE | {"locale": "fr-FR"}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_the_documentation_shows_the_view_as_it_is(
    open_page: Open, site: Site, tmp_path: Path, name: str
) -> None:
    picture = PICTURES[name]
    page = open_page(picture.view.format(bucket=site.bucket), **picture.options)
    page.wait_for_selector(picture.ready)
    if picture.prepare:
        picture.prepare(page, site)
    page.wait_for_load_state("networkidle")
    path = Path(os.environ.get("PICTURES", tmp_path)) / f"{name}.png"
    page.screenshot(path=path)

    with Image.open(path) as image:
        assert image.size == tuple(page.viewport_size.values())
        assert image.convert("RGB").getcolors(LEAST_COLOURS) is None


def test_the_documentation_shows_these_pictures_and_no_others() -> None:
    text = "".join(path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))

    assert set(re.findall(r"page/([\w-]+)\.png", text)) == set(PICTURES)
    assert {path.stem for path in ROOT.glob("docs/page/*.png")} == set(PICTURES)
