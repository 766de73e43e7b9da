"""A day's review in a real browser: by keyboard, in the background, and nothing that cannot be undone."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DECISIONS, LIMIT_S = 50, 60


def decided(page: Any) -> int:
    """Return how many decisions the page counts."""
    return int(page.inner_text(".count").split()[0])


def wait_until_saved(page: Any) -> None:
    page.wait_for_selector(".saved:has-text('All saved')")


def record_of(page: Any, site: Site, image: str) -> Any:
    return page.request.get(f"{site.url}v1/images/{image.removeprefix('s3://')}").json()


def test_fifty_decisions_by_keyboard_take_under_a_minute_and_can_all_be_undone(open_page: Open, site: Site) -> None:
    page = open_page("review?of=all")
    page.wait_for_selector(".candidate")
    first = page.get_attribute(".large", "data-image")
    began_s = time.monotonic()
    while decided(page) < DECISIONS:
        page.keyboard.press("x")
        page.keyboard.press("a" if page.query_selector(".candidate") else "n")
    wait_until_saved(page)
    took_s = time.monotonic() - began_s
    kept = record_of(page, site, first)["decisions"]
    count = decided(page)

    for _ in range(count):
        page.keyboard.press("u")
    wait_until_saved(page)

    assert took_s < LIMIT_S
    assert kept[0]["decision"] == "suppress"
    assert decided(page) == 0
    assert record_of(page, site, first)["decisions"] == []


def test_a_review_says_how_many_looks_are_left_until_keywords_are_as_right_as_wanted(open_page: Open) -> None:
    page = open_page("review?of=all")
    page.wait_for_selector(".outlook strong")
    few = int(page.inner_text(".outlook strong"))
    page.select_option("#target", "0.99")
    page.wait_for_function("few => Number(document.querySelector('.outlook strong').textContent) > few", arg=few)

    assert re.search(r"\d\d% of these keywords are expected to be right", page.inner_text(".outlook"))


def test_the_right_word_is_given_to_all_that_are_selected(open_page: Open, site: Site) -> None:
    page = open_page("review?of=all")
    page.wait_for_selector(".candidate")
    images = page.eval_on_selector_all(".strip li", "rows => rows.slice(0, 2).map(row => row.dataset.image)")
    page.keyboard.press(" ")
    page.click(".strip input >> nth=1")
    page.wait_for_selector("text=Selected: 2.")
    page.click("text=Right word")
    page.keyboard.type("balloon")
    page.keyboard.press("Enter")
    wait_until_saved(page)

    pinned = [[each["keyword"] for each in record_of(page, site, image)["decisions"]] for image in images]
    page.keyboard.press("u")
    wait_until_saved(page)
    assert pinned == [["balloon"], ["balloon"]]
    assert record_of(page, site, images[1])["decisions"] == []


def test_what_could_not_be_saved_is_told_and_sent_again(open_page: Open, site: Site) -> None:
    page = open_page("review?of=all")
    page.wait_for_selector(".candidate")
    first = page.get_attribute(".large", "data-image")
    page.route(re.compile("/decisions$"), lambda route: route.fulfill(status=503, json={"detail": "slow"}), times=1)
    page.keyboard.press("x")
    page.wait_for_selector("[role=alert]:has-text('Not saved yet: 1')")
    page.click("text=Try again")
    wait_until_saved(page)

    assert len(record_of(page, site, first)["decisions"]) == 1
    page.keyboard.press("u")
    wait_until_saved(page)
    assert record_of(page, site, first)["decisions"] == []


def test_a_rating_is_there_after_a_reload(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/twin-lens-camera.jpg")
    page.wait_for_selector(".keywords li")
    with page.expect_response("**/ratings"):
        page.click(".rate.wrong >> nth=0")
    page.wait_for_selector(".rate.wrong[aria-pressed=true]")
    page.reload()
    page.wait_for_selector(".rate.wrong[aria-pressed=true]")


def test_the_history_says_what_the_model_said_and_not_what_people_made_of_it(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/twin-lens-camera.jpg")
    page.wait_for_selector(".decisions li")
    looked = ".decisions li:has-text('Processed')"
    was = page.inner_text(looked)
    word = page.inner_text(".keywords .word >> nth=0")
    page.click(f"[aria-label='Suppress {word} on this photo']")
    page.wait_for_selector(f"[aria-label='Undo the decision on {word}']")
    assert page.inner_text(looked) == was
    page.click(f"[aria-label='Undo the decision on {word}']")
    page.wait_for_selector(f"[aria-label='Suppress {word} on this photo']")


def test_a_tile_leads_to_the_photos_that_it_counts(open_page: Open) -> None:
    page = open_page("status")
    page.click(".tile.good >> text=Show all")
    page.wait_for_selector(".card a")
    assert page.url.endswith("#/search?by=image")
