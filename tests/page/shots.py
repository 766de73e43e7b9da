"""Pictures of each view for the documentation: ``python -m tests.page.shots http://127.0.0.1:... docs/page``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from pipeline.settings import home
from tests.page.conftest import CHROMIUM, FLAGS

WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PHOTO = "photo/catalog-tagger-images-000000000000-us-east-1/ultraboost-running-shoe.jpg"
TOLD = ".classes .word:has-text('running shoe')"
SAMPLE = home() / "sample-catalogue"


def shots(url: str, folder: Path) -> None:
    """Write a picture of each view, as people see it with the sample catalogue on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=f"/usr/bin/{CHROMIUM[0]}", args=FLAGS)

        def shot(name: str, view: str, ready: str, before: Any = None, **options: Any) -> None:
            context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", "color_scheme": "light"} | options)
            page = context.new_page()
            page.goto(f"{url}#/{view}")
            page.wait_for_selector(ready)
            if before:
                before(page)
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / f"{name}.png")
            context.close()

        shot("search", "search", ".card img")
        shot("suggestions", "search", ".card img", _typed)
        shot("photo", PHOTO, TOLD)
        shot("photo-dark-german", PHOTO, TOLD, color_scheme="dark", locale="de-DE")
        shot("review", "review?of=all", ".candidate", _half_reviewed)
        shot("product", f"product/{PHOTO.rsplit('/', 1)[1].removesuffix('.jpg')}", ".card img")
        shot("upload", "upload", ".drop", _uploaded)
        shot("compare", "compare", "fieldset input", _compared)
        shot("status", "status", ".tile")
        shot("phone-search", "search", ".card img", viewport=PHONE)
        shot("phone-photo", PHOTO, TOLD, viewport=PHONE, color_scheme="dark")
        shot("phone-upload", "upload", ".drop", viewport=PHONE, locale="fr-FR")
        browser.close()


def _typed(page: Any) -> None:
    page.focus("#q")
    page.keyboard.type("came", delay=40)
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")


def _half_reviewed(page: Any) -> None:
    for _ in range(6):
        page.keyboard.press("n")
    page.wait_for_selector(".candidate")
    page.click(".strip input >> nth=3")


def _uploaded(page: Any) -> None:
    photos = sorted(SAMPLE.rglob("*.jpg"))
    broken = SAMPLE.parent / "downloads" / "price-list.jpg"
    broken.write_bytes(b"%PDF-1.7\n")
    page.set_input_files("#files", [str(photos[7]), str(broken), str(photos[20])])
    page.wait_for_selector(".upload.done >> nth=1")
    page.wait_for_selector(".upload.rejected")
    broken.unlink()


def _compared(page: Any) -> None:
    page.wait_for_selector("fieldset input >> nth=1")
    page.set_input_files("#file", str(sorted(SAMPLE.rglob("*.jpg"))[7]))
    page.wait_for_selector(".column >> nth=1")


if __name__ == "__main__":
    shots(sys.argv[1], Path(sys.argv[2]))
