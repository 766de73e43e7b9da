"""Views with something in them: what people see after they did something, or after something failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

SHOE, POT = "ultraboost-running-shoe", "tulip-pot"


def searched(page: Any, site: Site) -> None:
    """Show the catalogue's photos."""
    page.goto(site.at("search"))
    page.wait_for_selector(".card a")


def suggested(page: Any, site: Site) -> None:
    """Show the suggestions for a word that was begun."""
    searched(page, site)
    page.focus("#q")
    page.keyboard.type("came")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")


def narrowed(page: Any, site: Site) -> None:
    """Show a search that was narrowed."""
    page.goto(site.at("search?q=electronics&narrow=camera"))
    page.wait_for_selector(".card a")


def mistaken(page: Any, site: Site) -> None:
    """Show the notice of a mistake in a query."""
    page.goto(site.at("search?q=camera%20AND%20AND"))
    page.wait_for_selector("[role=alert]:has-text('column')")


def decided(page: Any, site: Site) -> None:
    """Show a photo with a decision, and one that is offered after a rating. No other test looks at it."""
    page.goto(site.at(f"photo/{site.bucket}/{POT}.jpg"))
    page.wait_for_selector(".keywords li")
    if not page.query_selector("[aria-label='Undo the decision on balloon']"):
        page.fill("#missing", "balloon")
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-label='Undo the decision on balloon']")
    page.click(".rate.wrong >> nth=0")
    page.wait_for_selector(".rate.wrong[aria-pressed=true]")


def unknown(page: Any, site: Site) -> None:
    """Show that nothing is known of a photo."""
    page.goto(site.at(f"photo/{site.bucket}/none.jpg"))
    page.wait_for_selector("[role=alert]")


def uploading(page: Any, site: Site) -> None:
    """Show the upload view before anything was uploaded."""
    page.goto(site.at("upload"))
    page.wait_for_selector(".drop")


def uploaded(page: Any, site: Site) -> None:
    """Show uploads of each outcome: tagged, rejected, failed."""
    uploading(page, site)
    page.route(re.compile(f"{site.bucket}/?$"), lambda route: route.fulfill(status=403), times=1)
    photo = {"name": f"{SHOE}.jpg", "mimeType": "image/jpeg", "buffer": site.photos[SHOE].read_bytes()}
    page.set_input_files("#files", photo)
    page.wait_for_selector(".upload.failed")
    page.set_input_files("#files", [photo, {"name": "prices.jpg", "mimeType": "image/jpeg", "buffer": b"%PDF-1.7\n"}])
    page.wait_for_selector(".upload.done")
    page.wait_for_selector(".upload.rejected")


def compared(page: Any, site: Site) -> None:
    """Show the answers of two models."""
    page.goto(site.at("compare"))
    page.set_input_files("#file", str(site.photos[SHOE]))
    page.wait_for_selector(".column >> nth=1")


def counted(page: Any, site: Site) -> None:
    """Show how tagging is."""
    page.goto(site.at("status"))
    page.wait_for_selector(".tile")


def uncounted(page: Any, site: Site) -> None:
    """Show that the status cannot be had."""
    page.route(re.compile("/status$"), lambda route: route.fulfill(status=503, json={"detail": "the table is slow"}))
    page.goto(site.at("status"))
    page.wait_for_selector("[role=alert]:has-text('the table is slow')")


def reviewed(page: Any, site: Site) -> None:
    """Show the review of all photos, with two of them selected."""
    page.goto(site.at("review?of=all"))
    page.wait_for_selector(".candidate")
    page.click(".strip input >> nth=1")
    page.click(".strip input >> nth=2")


def grouped(page: Any, site: Site) -> None:
    """Show the review of photos that are there several times, as far as there are any."""
    page.goto(site.at("review?of=duplicates"))
    page.wait_for_selector(".outlook:has-text('compared')")
    page.wait_for_selector(".candidate, .large > .icon")


def ruled(page: Any, site: Site) -> None:
    """Show the review of photos that break a rule."""
    page.goto(site.at("review?of=rule&rule=amazon"))
    page.wait_for_selector(".candidate, .candidates li")


def filtered(page: Any, site: Site) -> None:
    """Show a search with further filters open."""
    page.goto(site.at("search?by=image&sort=newest&rule=amazon"))
    page.wait_for_selector(".further[open] option[value=blue]", state="attached")
    page.wait_for_selector(".card a")


def product(page: Any, site: Site) -> None:
    """Show a product with its photos."""
    page.goto(site.at(f"product/{SHOE}"))
    page.wait_for_selector(".card a")


STATES: dict[str, Callable[[Any, Site], None]] = {
    each.__name__: each
    for each in (
        searched,
        suggested,
        narrowed,
        mistaken,
        decided,
        unknown,
        uploading,
        uploaded,
        compared,
        counted,
        reviewed,
        grouped,
        ruled,
        filtered,
        product,
        uncounted,
    )
}
