"""A day's review in a real browser: by keyboard, in the background, and nothing that cannot be undone."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from pipeline.photo_rules import shipped_rule_sets
from tests.infra.local.scratch import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DECISIONS, LIMIT_S = 50, 60
SHOE, CAMERA = "ultraboost-running-shoe", "twin-lens-camera"


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


def searched(page: Any, site: Site, query: str) -> list[str]:
    """Return the products of the images that a search finds."""
    answer = page.request.get(f"{site.url}v1/search?by=image&limit=100&{query}").json()
    return [result["product"] for result in answer["results"]]


def load_manifest(site: Site, path: Path, **listing: str) -> None:
    """Say of the camera what a shop says of a product."""
    path.write_text(f"image,{','.join(listing)}\ns3://{site.bucket}/{CAMERA}.jpg,{','.join(listing.values())}\n")
    site.type("load", str(path))


def test_what_contradicts_the_shop_is_reviewed_until_somebody_decides(
    open_page: Open, site: Site, tmp_path: Path
) -> None:
    page = open_page("review?of=contradicted")
    page.wait_for_selector("text=No keyword contradicts the titles and tags of the shop")
    load_manifest(site, tmp_path / "wrong.csv", title="Trail Runner 7", tags="Running shoes; Sale")
    wait_for(lambda: searched(page, site, "contradicted=true") == [CAMERA])
    page.reload()
    page.wait_for_selector("h2:has-text('Trail Runner 7')")
    assert page.inner_text(".listed") == "Running shoes; Sale"

    page.keyboard.press("a")
    wait_until_saved(page)
    wait_for(lambda: searched(page, site, "contradicted=true") == [])
    page.keyboard.press("u")
    wait_until_saved(page)
    load_manifest(site, tmp_path / "right.csv", title="", tags="")


def test_photos_that_break_a_rule_are_reviewed_rule_by_rule(open_page: Open, site: Site) -> None:
    page = open_page("review?of=rule&rule=amazon:background_not_white")
    page.wait_for_selector(".candidates li")
    broken = searched(page, site, "rule=amazon:background_not_white")
    assert 0 < len(broken) < len(searched(page, site, ""))
    assert f"of {len(broken)} photos" in page.inner_text(".count")

    page.select_option("#review-rule", "google:file_too_large")
    page.wait_for_selector("text=No photo breaks this rule.")


def test_the_page_offers_the_rules_that_there_are(open_page: Open) -> None:
    page = open_page("review?of=rule")
    page.wait_for_selector("#review-rule")
    values = page.eval_on_selector_all("#review-rule option", "all => all.map(option => option.value)")
    texts = page.eval_on_selector_all("#review-rule option", "all => all.map(option => option.textContent)")

    rules = {f"{rules.name}:{rule.id}" for rules in shipped_rule_sets() for rule in rules.rules}
    assert set(values) == rules | {rules.name for rules in shipped_rule_sets()}
    assert not [text for text in texts if "rule_" in text]


def test_one_decision_goes_to_all_copies_of_a_photo(open_page: Open, site: Site) -> None:
    with Image.open(site.photos[SHOE]) as photo:
        data = io.BytesIO()
        ImageOps.mirror(photo).convert("RGB").save(data, "JPEG", quality=60)
    site.s3().put_object(Bucket=site.bucket, Key="copy-of-shoe.jpg", Body=data.getvalue())
    site.wait_for_record("copy-of-shoe.jpg")
    page = open_page()
    wait_for(lambda: "copy-of-shoe" in searched(page, site, ""))
    page.goto(site.at("review?of=duplicates"))
    page.wait_for_selector(".listed:has-text('times the same photo')")
    while not page.wait_for_selector(".large[data-image]").get_attribute("data-image").endswith("/copy-of-shoe.jpg"):
        page.keyboard.press("n")
    page.keyboard.press("g")
    page.keyboard.press("x")
    wait_until_saved(page)

    images = [f"s3://{site.bucket}/{name}.jpg" for name in ("copy-of-shoe", SHOE)]
    decisions = [record_of(page, site, image)["decisions"] for image in images]
    assert [[each["decision"] for each in of_image] for of_image in decisions] == [["suppress"], ["suppress"]]
    page.keyboard.press("u")
    wait_until_saved(page)
    site.s3().delete_object(Bucket=site.bucket, Key="copy-of-shoe.jpg")


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
