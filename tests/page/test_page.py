"""A merchandiser's day, in a real browser."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHANGES_LIMIT_MS = 60_000  # until a search sees a change: the stream, the delta, and what the API keeps of it

SHOE, CAMERA = "ultraboost-running-shoe", "twin-lens-camera"
Open = "Callable[..., Any]"


@pytest.fixture
def three_photos(site: Site, tmp_path: Path) -> list[Path]:
    """Two good photos and one that is none, as somebody has them on their disk."""
    files = []
    for name in (SHOE, CAMERA):
        files.append(tmp_path / f"{name}.jpg")
        files[-1].write_bytes(site.photos[name].read_bytes())
    files.append(tmp_path / "price-list.jpg")
    files[-1].write_bytes(b"%PDF-1.7\n% a price list that somebody named .jpg\n")
    return files


def test_three_photos_are_uploaded_and_each_outcome_arrives(open_page: Open, three_photos: list[Path]) -> None:
    page = open_page("upload")
    page.set_input_files("#files", [str(path) for path in three_photos])

    page.wait_for_selector(".upload.done >> nth=1")
    page.wait_for_selector(".upload.rejected")
    told = {row.query_selector("strong").inner_text(): row.inner_text() for row in page.query_selector_all(".upload")}
    assert "running shoe" in told[f"{SHOE}.jpg"]
    assert "camera" in told[f"{CAMERA}.jpg"]
    assert "The file is not a photo." in told["price-list.jpg"]
    assert page.inner_text(".count") == "3 of 3 done"

    page.click(".upload.done a")
    page.wait_for_selector(".keywords li")
    assert "uploads/" in page.inner_text(".facts")


def test_what_would_be_rejected_anyway_is_told_before_it_is_sent(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "from-a-phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "empty.jpg").write_bytes(b"")
    page = open_page("upload")
    page.set_input_files("#files", [str(tmp_path / "from-a-phone.heic"), str(tmp_path / "empty.jpg")])

    page.wait_for_selector(".upload.rejected >> nth=1")
    assert "The file is empty." in page.inner_text(".uploads")
    assert "Save the photo as JPEG" in page.inner_text(".uploads") or "not a photo" in page.inner_text(".uploads")


def test_two_people_upload_files_of_the_same_name_and_each_sees_their_own(
    open_page: Open, site: Site, tmp_path: Path
) -> None:
    rows = []
    for product in (SHOE, CAMERA):
        (tmp_path / product).mkdir()
        path = tmp_path / product / "IMG_0001.jpg"
        path.write_bytes(site.photos[product].read_bytes())
        page = open_page("upload")
        page.set_input_files("#files", str(path))
        rows.append(page)

    told = [page.wait_for_selector(".upload.done").inner_text() for page in rows]
    links = {page.get_attribute(".upload.done a", "href") for page in rows}
    assert "shoe" in told[0]
    assert "camera" not in told[0]
    assert "camera" in told[1]
    assert "shoe" not in told[1]
    assert len(links) == 2


def test_a_connection_that_is_lost_is_made_again_and_the_result_arrives(open_page: Open, site: Site) -> None:
    page = open_page("search")
    made: list[Any] = []

    def on_socket(ours: Any) -> None:
        made.append(ours)
        if len(made) == 1:
            ours.close()  # before the ticket can be shown
        else:
            ours.connect_to_server()

    page.route_web_socket(re.compile("/watch$"), on_socket)
    page.goto(site.at("upload"))
    page.reload()
    page.set_input_files("#files", str(site.photos[SHOE]))

    page.wait_for_selector(".upload.done")
    assert len(made) > 1
    assert "running shoe" in page.inner_text(".upload.done")


def test_a_word_is_suggested_searched_for_and_leads_to_a_photo(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.focus("#q")
    page.keyboard.type("runn")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#q", "aria-activedescendant") == "suggestions-0"
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/search?q=*")
    page.wait_for_function("() => document.querySelector('#q').value === 'running shoe'")
    page.wait_for_selector(f".card a[href*={SHOE}]")
    page.click(f".card a[href*={SHOE}]")

    page.wait_for_selector(".keywords li")
    assert page.inner_text("h1") == SHOE
    assert "running shoe" in page.inner_text(".keywords")
    page.wait_for_function("() => document.querySelector('.large img')?.naturalWidth > 0")
    page.wait_for_function("() => document.querySelector('.classes .word').textContent.includes('running shoe')")


@pytest.mark.parametrize("way", ["the link", "the browser"])
def test_going_back_from_a_photo_finds_the_search_as_it_was_left(open_page: Open, way: str) -> None:
    page = open_page("search?by=image")
    page.wait_for_selector(".card a")
    page.click(".more")
    page.wait_for_function("() => document.querySelectorAll('.card a').length > 24")
    page.locator(".card a").nth(30).scroll_into_view_if_needed()
    opened = page.locator(".card a").nth(30).get_attribute("href")
    top, count = page.evaluate("() => [scrollY, document.querySelectorAll('.card').length]")
    page.locator(".card a").nth(30).click()
    page.wait_for_selector(".back")

    if way == "the link":
        page.click(".back")
    else:
        page.go_back()

    page.wait_for_selector(".card a")
    assert page.evaluate("() => [scrollY, document.querySelectorAll('.card').length]") == [top, count]
    assert page.evaluate("() => document.activeElement.getAttribute('href')") == opened


def test_back_from_a_photo_that_was_opened_by_its_address_leads_to_the_search(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{SHOE}.jpg")
    page.wait_for_selector(".keywords")

    page.click(".back")

    page.wait_for_selector(".card a")


def test_the_cursor_stays_in_the_box_after_enter(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.focus("#q")
    page.keyboard.type("camera")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/search?q=camera")
    page.keyboard.type(" min:0.5")

    assert page.input_value("#q") == "camera min:0.5"


def test_facets_narrow_and_can_be_taken_back(open_page: Open) -> None:
    page = open_page("search?by=image")
    page.wait_for_selector(".facet")
    all_of_them = page.inner_text(".count")
    page.click(".facet >> nth=0")
    page.wait_for_selector(".chosen .chip")
    page.wait_for_function(
        "text => !['', text, 'Loading …'].includes(document.querySelector('.count').textContent)", arg=all_of_them
    )
    page.click(".chosen .chip")
    page.wait_for_function("text => document.querySelector('.count').textContent === text", arg=all_of_them)


def test_titles_and_product_ids_are_searched_where_the_person_says_so(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.select_option(".mode", "listing")
    page.fill("#q", "CAMERA slr")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/search?text=CAMERA+slr")
    page.wait_for_selector(".count:has-text('2 results')")

    assert sorted(page.locator(".card .name").all_inner_texts()) == ["compact-slr-camera", "nikkormat-slr-camera"]
    page.select_option(".mode", "keywords")
    page.wait_for_url("**/#/search?q=CAMERA+slr")


def test_a_suppressed_keyword_is_no_longer_found_and_comes_back_when_released(open_page: Open) -> None:
    page = open_page("search?q=%22running%20shoe%22&by=image")
    page.wait_for_selector(f".card a[href*={SHOE}]")
    page.click(f".card a[href*={SHOE}]")
    page.click("[aria-label='Suppress running shoe on this photo']")
    page.wait_for_selector("[aria-label='Undo the decision on running shoe']")
    assert "running shoe" not in page.inner_text(".keywords")

    _wait_until(
        page,
        "search?q=%22running%20shoe%22&by=image",
        lambda: not page.query_selector(f".card a[href*='{SHOE}.jpg']"),
    )

    page.goto(page.url.split("#")[0] + "#/search?q=footwear&by=image")
    page.wait_for_selector(f".card a[href*='{SHOE}.jpg']")
    page.click(f".card a[href*='{SHOE}.jpg']")
    page.click("[aria-label='Undo the decision on running shoe']")
    page.wait_for_selector("[aria-label='Suppress running shoe on this photo']")


def _wait_until(page: Any, view: str, reached: Callable[[], bool]) -> None:
    """Look at the view again and again until that is so."""
    for _ in range(CHANGES_LIMIT_MS // 500):
        page.goto(page.url.split("#")[0] + "#/status")
        page.goto(page.url.split("#")[0] + f"#/{view}")
        page.wait_for_function("() => !['', 'Loading …'].includes(document.querySelector('.count')?.textContent ?? '')")
        if reached():
            return
        page.wait_for_timeout(400)
    pytest.fail("the search did not change")


def test_keywords_are_rated_and_a_missing_word_is_added(open_page: Open, site: Site) -> None:
    page = open_page(f"photo/{site.bucket}/{CAMERA}.jpg")
    page.wait_for_selector(".keywords li")
    page.click(".rate.right >> nth=0")
    page.wait_for_selector(".rate.right[aria-pressed=true]")
    page.fill("#missing", "ballo")
    page.wait_for_selector("#words [role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".keywords .badge")
    assert "balloon" in page.inner_text(".keywords")
    page.click("[aria-label='Undo the decision on balloon']")
    page.wait_for_selector(".keywords .badge", state="detached")


def test_models_stand_side_by_side(open_page: Open, site: Site) -> None:
    page = open_page("compare")
    page.wait_for_selector("fieldset input >> nth=1")
    page.set_input_files("#file", str(site.photos[CAMERA]))
    page.wait_for_selector(".column >> nth=1")

    heads = [each.inner_text() for each in page.query_selector_all(".column h2")]
    assert [head.split()[0] for head in heads] == ["default", "float32"]
    assert page.eval_on_selector_all(
        ".column", "all => all.map(each => each.querySelectorAll('.classes li').length)"
    ) == [5, 5]
    assert page.query_selector(".differences")
    page.click(".column .rate.wrong >> nth=0")
    page.wait_for_selector(".rate.wrong[aria-pressed=true]")

    page.fill("#missing", "rolleiflex")
    with page.expect_response("**/ratings") as answered:
        page.click("text=Tell us")
    page.wait_for_selector("text=Your rating is kept")
    told = answered.value.request.post_data_json["ratings"]
    assert {each["image"] for each in told} == {f"sha256:{sha256(site.photos[CAMERA].read_bytes()).hexdigest()}"}
    assert len({each["model_version"] for each in told}) == 2


def test_how_tagging_is_shows_what_was_rejected_and_why(open_page: Open, site: Site) -> None:
    site.s3().put_object(Bucket=site.bucket, Key="<img src=x onerror=alert(1)>.jpg", Body=b"%PDF-1.7")
    page = open_page("status")
    page.wait_for_selector(".grid.small .card")

    page.wait_for_function("() => document.querySelector('.grid.small').textContent.includes('onerror')")
    assert "The file is not a photo." in page.inner_text(".grid.small")
    assert page.query_selector(".grid.small img[src=x]") is None
    assert int(page.inner_text(".tile.good strong")) >= len(site.photos)
    assert page.inner_text(".axis").split("\n")[0] == "30 min ago"
    assert page.locator(".scale span").all_inner_texts()[-1] == "0"


@pytest.mark.parametrize(("locale", "word"), [("de-DE", "Suchen"), ("fr-FR", "Rechercher"), ("es-ES", "Buscar")])
def test_the_page_speaks_the_persons_language(open_page: Open, locale: str, word: str) -> None:
    page = open_page(locale=locale)
    page.wait_for_selector(".card a")

    assert page.inner_text("nav a >> nth=0") == word
    assert page.get_attribute("html", "lang") == locale[:2]
    page.select_option(".choices select", "en")
    page.wait_for_selector("nav a:has-text('Search')")


@pytest.mark.parametrize(
    ("state", "locale"),
    [*((state, "en-GB") for state in STATES), *((state, "de-DE") for state in ("searched", "compared", "counted"))],
)
def test_nothing_is_wider_than_a_phone(open_page: Open, site: Site, state: str, locale: str) -> None:
    page = open_page("upload", viewport={"width": 390, "height": 844}, device_scale_factor=2, locale=locale)
    STATES[state](page, site)
    page.wait_for_timeout(500)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("(nav => nav.scrollWidth <= nav.clientWidth)(document.querySelector('nav'))")


def test_everything_is_reached_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(".card a")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.className || document.activeElement.id || document.activeElement.tagName"
            )
        )
    assert {"q", "main", "facet"} <= reached
    page.focus(".card a")
    page.keyboard.press("Enter")
    page.wait_for_selector(".keywords")


def test_the_policy_lets_nothing_else_run(open_page: Open, site: Site) -> None:
    page = open_page()
    answered = page.request.get(site.url)
    policy = answered.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answered.headers["x-content-type-options"] == "nosniff"
