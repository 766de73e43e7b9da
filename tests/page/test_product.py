"""A product in a real browser: its photos, what looks like it, and photos added, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOE, CAMERA, TRIPOD = "ultraboost-running-shoe", "twin-lens-camera", "tripod"


def photo(site: Site, name: str) -> dict[str, Any]:
    return {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": site.photos[name].read_bytes()}


def test_a_product_shows_its_photos_the_keywords_of_all_and_what_looks_like_it(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{SHOE}.jpg")
    page.click(f".facts a:has-text('{SHOE}')")
    page.wait_for_selector(".photos .card a")

    assert page.inner_text("h1") == SHOE
    assert "running shoe" in page.inner_text(".view > section .chips")
    page.wait_for_selector("h2:has-text('Looks similar') + .grid .card >> nth=0")
    links = page.locator("h2:has-text('Looks similar') + .grid a").all()
    assert f"#/product/{SHOE}" not in [link.get_attribute("href") for link in links]
    page.click(".back")
    page.wait_for_selector(".keywords li")


def test_a_photo_is_added_to_a_product_replaced_and_removed(open_page: Open, site: Site) -> None:
    page = open_page("product/shelf 7%2Fb")
    page.wait_for_selector("text=This product has no photo yet.")
    page.set_input_files("#more-photos", photo(site, SHOE))
    page.wait_for_selector(".photos .chip:has-text('running shoe')")
    page.set_input_files("#more-photos", photo(site, SHOE))
    page.wait_for_selector("text=2 photos")

    page.set_input_files(".own input >> nth=0", photo(site, CAMERA))
    page.wait_for_selector(".photos .chip:has-text('camera')")
    page.click(".photos .card a >> nth=0")
    page.wait_for_selector(".siblings img")
    assert page.inner_text("h1") == "shelf 7/b"
    page.click("text=Open the product")
    page.click(".own button >> nth=0")
    page.click("text=Really remove?")
    page.wait_for_selector("text=1 photo")
    assert page.locator(".photos .card").count() == 1


def test_a_photo_that_another_product_has_too_is_named(open_page: Open, site: Site) -> None:
    page = open_page("product/copied")
    page.set_input_files("#more-photos", photo(site, CAMERA))
    page.wait_for_selector(".photos .chip:has-text('camera')")
    page.reload()
    page.wait_for_selector("h2:has-text('The same photo elsewhere') + .grid .card")
    assert CAMERA in page.locator("h2:has-text('The same photo elsewhere') + .grid .name").all_inner_texts()


def test_a_photo_of_the_shops_own_is_not_offered_to_be_removed(open_page: Open, site: Site) -> None:
    page = open_page(f"product/{TRIPOD}")  # other tests upload photos into the product of the shoe
    page.wait_for_selector(".photos .card a")

    answer = page.request.delete(f"{site.url}v1/images/{site.bucket}/{TRIPOD}.jpg")

    assert page.query_selector(".own") is None
    assert answer.status == 400
    assert "was not uploaded here" in answer.json()["detail"]


def test_a_removal_that_fails_is_told_and_nothing_is_lost(open_page: Open, site: Site) -> None:
    page = open_page("product/stays")
    page.set_input_files("#more-photos", photo(site, CAMERA))
    page.wait_for_selector(".own button")
    page.route("**/v1/images/**", lambda route: route.fulfill(status=503, json={"detail": "the bucket is slow"}))
    page.click(".own button")
    page.click("text=Really remove?")
    page.wait_for_selector("[role=alert]:has-text('the bucket is slow')")
    assert page.locator(".photos .card").count() == 1


def test_results_lead_to_one_another_and_back_to_the_search(open_page: Open) -> None:
    page = open_page("search?by=image")
    page.wait_for_selector(".card a")
    links = page.eval_on_selector_all(".card a", "all => all.map(link => link.getAttribute('href'))")
    page.click(".card a >> nth=0")
    page.wait_for_selector(".keywords, .notice")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("hash => location.hash === hash", arg=links[1])
    page.wait_for_selector(f".steps:has-text('2 of {len(links)}')")
    page.click("[aria-label=Next]")
    page.wait_for_function("hash => location.hash === hash", arg=links[2])
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("hash => location.hash === hash", arg=links[1])

    page.click(".back")
    page.wait_for_selector(".card a")
    assert page.url.endswith("#/search?by=image")
