"""Uploads outlast a reload, stand aside when they are done, and are tried again together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOE = "ultraboost-running-shoe"


def photo(site: Site, name: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": site.photos[SHOE].read_bytes()}


def test_a_result_arrives_though_the_page_was_loaded_anew(open_page: Open, site: Site) -> None:
    page = open_page("upload")
    page.wait_for_selector(".drop")
    page.set_input_files("#files", photo(site, "shoe.jpg"))
    page.wait_for_function("() => sessionStorage.getItem('catalog-tagger.uploads').includes('looking')", polling=20)
    page.reload()

    page.wait_for_selector(".upload.done:has-text('shoe.jpg')")
    page.reload()
    page.wait_for_selector(".upload.done:has-text('running shoe')")


def test_uploads_that_failed_are_tried_again_together(open_page: Open, site: Site) -> None:
    page = open_page("upload")
    page.wait_for_selector(".drop")
    page.route(re.compile(f"{site.bucket}/?$"), lambda route: route.fulfill(status=403), times=2)
    page.set_input_files("#files", [photo(site, "one.jpg"), photo(site, "two.jpg")])
    page.wait_for_selector(".upload.failed >> nth=1")
    page.click("text=Try all 2 again")
    page.wait_for_selector(".upload.done >> nth=1")
