"""Answers that come late, wrong or not at all: each view says so, and shows what belongs to what was asked last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOE, CAMERA = "ultraboost-running-shoe", "twin-lens-camera"
SEARCH, MODELS, CLASSIFY = re.compile(r"/search\?"), re.compile(r"/models$"), re.compile(r"/classify\?")


PARTLY = {
    "complete": False,
    "by_minute": None,
    "tagged": 49_000,
    "rejected_complete": False,
    "rejected": {"empty": 5000},
}


def refuse(route: Any) -> None:
    """Answer as the API does where something behind it fails."""
    route.fulfill(status=503, json={"title": "Try again later", "detail": "the table is slow"})


def refuse_without_export(route: Any) -> None:
    """Answer as the API does where nothing was exported yet."""
    route.fulfill(status=503, json={"title": "Try again later", "detail": "no snapshot", "code": "no_export"})


def hold(page: Any, url: re.Pattern[str]) -> list[Any]:
    """Let the first such request wait, and return the list that it will be in."""
    held: list[Any] = []

    def keep(route: Any) -> None:
        held.append(route)

    page.route(url, keep, times=1)
    return held


def held_one(page: Any, held: list[Any]) -> Any:
    """Return the request that waits, as soon as it does."""
    while not held:
        page.wait_for_timeout(50)
    return held[0]


@pytest.mark.parametrize(
    ("typed", "word", "asked"),
    [
        ("runn", "running shoe", "running shoe"),
        ("running ", "running shoe", "running shoe"),
        ("camera ", "camera", "camera"),
        ('"rock', "rocking chair", "rocking chair"),
        ("camera OR runn", "running shoe", 'camera OR "running shoe"'),
        ('camera OR "rock', "rocking chair", 'camera OR "rocking chair"'),
        ("NOT came", "camera", "NOT camera"),
    ],
)
def test_a_suggestion_takes_the_place_of_the_word_that_is_being_typed(
    open_page: Open, typed: str, word: str, asked: str
) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.focus("#q")
    page.keyboard.type(typed)
    page.click(f"[role=option] span:text-is('{word}')")
    page.wait_for_url("**/#/search?q=*")

    page.wait_for_function("asked => document.querySelector('#q').value === asked", arg=asked)


def test_only_where_nothing_was_exported_yet_does_the_search_say_so(open_page: Open) -> None:
    page = open_page("status")
    page.route(SEARCH, refuse_without_export, times=1)
    page.click("nav >> text=Search")
    page.wait_for_selector("text=Nothing is searchable yet.")
    page.route(SEARCH, refuse, times=1)
    page.click("text=Status")
    page.click("nav >> text=Search")
    page.wait_for_selector("[role=alert]:has-text('the table is slow')")
    assert "searchable" not in page.inner_text("main")

    page.click("button[type=submit]")  # the same question again
    page.wait_for_selector(".card a")
    assert page.query_selector("[role=alert]:visible") is None


def test_what_is_shown_stays_where_more_of_it_cannot_be_had(open_page: Open) -> None:
    page = open_page("search?by=image")
    page.wait_for_selector(".card a")
    before = page.locator(".card a").count()
    page.route(SEARCH, refuse, times=1)
    page.click(".more")
    page.wait_for_selector("[role=alert]:has-text('the table is slow')")
    assert page.locator(".card a").count() == before

    page.dblclick(".more")
    page.wait_for_function("before => document.querySelectorAll('.card a').length > before", arg=before)
    page.wait_for_timeout(500)
    shown = page.eval_on_selector_all(".card a", "all => all.map(each => each.getAttribute('href'))")
    assert len(shown) == len(set(shown))


def test_a_mistake_is_where_the_person_sees_it(open_page: Open) -> None:
    page = open_page("search?q=camera%20AND%20AND")
    page.wait_for_selector("[role=alert]:has-text('column 12')")
    assert not page.is_visible(".more")


def test_the_language_is_changed_without_losing_what_was_begun(open_page: Open, site: Site) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.fill("#q", "half a quest")
    page.select_option(".choices select", "de")
    page.wait_for_selector("nav a:has-text('Suchen')")
    assert page.input_value("#q") == "half a quest"
    assert page.evaluate("document.activeElement.tagName") == "SELECT"

    page.goto(site.at("compare"))
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_selector(".column")
    page.select_option(".choices select", "fr")
    page.wait_for_selector(".column h3:has-text('Mots-clés')")
    page.wait_for_function("() => document.querySelector('.large img')?.naturalWidth > 0")


def test_an_address_that_no_photo_can_have_leads_to_the_search(open_page: Open) -> None:
    page = open_page("photo/bucket/100%")
    page.wait_for_selector(".card a")


def test_a_photo_that_was_chosen_before_the_models_are_known_is_looked_at_when_they_are(
    open_page: Open, site: Site
) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    held = hold(page, MODELS)
    page.goto(site.at("compare"))
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_function("() => document.querySelector('.large img')?.naturalWidth > 0")
    held_one(page, held).continue_()
    page.wait_for_selector(".column >> nth=1")


def test_models_that_did_not_come_are_asked_for_again_with_the_next_photo(open_page: Open, site: Site) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.route(MODELS, refuse, times=1)
    page.goto(site.at("compare"))
    page.wait_for_selector("text=the table is slow")
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_selector(".column >> nth=1")


def test_the_same_file_can_be_chosen_twice(open_page: Open, site: Site) -> None:
    page = open_page("compare")
    page.wait_for_selector("fieldset input")
    page.route(CLASSIFY, refuse, times=1)
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_selector("text=the table is slow")
    page.set_input_files("#file", str(site.photos[CAMERA]))  # the same file again
    page.wait_for_selector(".column >> nth=1")


def test_a_slow_answer_does_not_stand_under_another_photo(open_page: Open, site: Site) -> None:
    page = open_page("compare")
    page.wait_for_selector("fieldset input")
    held = hold(page, CLASSIFY)
    page.set_input_files("#file", str(site.photos[SHOE]))
    first = held_one(page, held)
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_selector(".column")
    first.continue_()
    page.wait_for_timeout(1500)

    assert "camera" in page.inner_text(".column")
    assert "shoe" not in page.inner_text(".column")


def test_a_file_that_cannot_be_read_is_named(open_page: Open, tmp_path: Path) -> None:
    page = open_page("compare")
    page.wait_for_selector("fieldset input")
    gone = tmp_path / "gone.jpg"
    gone.write_bytes(b"x" * 1000)
    page.evaluate("() => { File.prototype.arrayBuffer = () => Promise.reject(new Error('it is gone')); }")
    page.set_input_files("#file", str(gone))
    page.wait_for_selector("text=it is gone")


def test_a_wrong_keyword_is_suppressed_by_the_click_that_is_offered(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{CAMERA}.jpg")
    page.wait_for_selector(".keywords li")
    word = page.inner_text(".keywords .word a >> nth=0")
    page.click(".rate.wrong >> nth=0")
    page.click(".next button")
    page.wait_for_selector(f"[aria-label='Undo the decision on {word}']")
    assert word not in page.locator(".keywords .word a").all_inner_texts()
    page.click(f"[aria-label='Undo the decision on {word}']")
    page.wait_for_selector(f"[aria-label='Suppress {word} on this photo']")


def test_a_missing_word_that_is_no_keyword_is_noted_and_not_pinned(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{CAMERA}.jpg")
    page.wait_for_selector(".keywords li")
    page.fill("#missing", "rolleiflex")
    page.keyboard.press("Enter")
    page.wait_for_selector(".missing .hint:has-text('so it cannot be pinned')")
    assert page.query_selector("[role=alert]") is None

    page.fill("#missing", "  BALLOON ")
    page.keyboard.press("Enter")
    page.click("[aria-label='Undo the decision on balloon']")
    page.wait_for_selector("[aria-label='Undo the decision on balloon']", state="detached")


def test_models_that_differ_are_set_side_by_side_the_widest_difference_first(open_page: Open, site: Site) -> None:
    page = open_page()
    page.wait_for_selector(".card a")

    def differ(route: Any) -> None:
        shoe, bag = ({"keyword": word, "id": word, "source": "model"} for word in ("shoe", "bag"))
        classes = [{"class": "shoe", "class_index": 1, "score": 0.9}]
        versions = {"model_version": "m", "taxonomy_version": "t", "milliseconds": 1, "classes": classes}
        answers = [
            {"model": "one", "keywords": [shoe | {"score": 0.9}], **versions},
            {"model": "two", "keywords": [shoe | {"score": 0.7}, bag | {"score": 0.6}], **versions},
        ]
        route.fulfill(json={"models": answers, "sha256": "0" * 64, "low_information": False})

    page.route(CLASSIFY, differ)
    page.goto(site.at("compare"))
    page.set_input_files("#file", str(site.photos[SHOE]))
    page.wait_for_selector(".differences tbody tr")

    rows = [row.inner_text().split("\t") for row in page.query_selector_all(".differences tr")]
    assert rows == [["Keyword", "one", "two"], ["bag", "not given", "60%"], ["shoe", "90%", "70%"]]


def test_a_rating_that_is_not_kept_is_told_beside_it(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/leather-sofa.jpg")  # nobody has rated it
    page.wait_for_selector(".keywords li")
    page.route(re.compile("/ratings$"), refuse)
    page.click(".rate.right >> nth=0")
    page.wait_for_selector(".rates:has-text('the table is slow')")
    assert page.query_selector(".rate[aria-pressed=true]") is None


def test_of_a_table_that_was_not_counted_as_a_whole_that_is_said_first(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(".card a")

    def partly(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | PARTLY)

    page.route(re.compile("/status$"), partly)
    page.click("text=Status")
    page.wait_for_selector(".notice:has-text('Only part of the table was counted.') + .tiles .tile")
    assert page.locator(".tile strong").all_inner_texts()[:2] == ["49,000+", "5,000+"]
    assert page.query_selector(".minutes") is None


def test_settings_that_do_not_come_make_no_page_without_a_sign_in(open_page: Open) -> None:
    page = open_page()
    page.route(re.compile("settings.json$"), refuse, times=1)
    page.reload()
    page.wait_for_selector("[role=alert]:has-text('the table is slow')")
    assert page.query_selector("h1") is None
    page.click("text=Try again")
    page.wait_for_selector(".card a")
