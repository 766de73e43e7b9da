"""Uploads over bad networks: what arrived is shown, and what did not can be tried again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

    Open = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOE = "ultraboost-running-shoe"
SOCKET = re.compile("/watch$")
UPLOADS = re.compile(r"/uploads$")
GATEWAY_ERROR = {"message": "Internal server error", "connectionId": "abc=", "requestId": "def="}
ANSWER_LOST = """(() => {
  const listen = XMLHttpRequest.prototype.addEventListener;
  let lost = false;
  XMLHttpRequest.prototype.addEventListener = function (name, told) {
    const lose = () => { lost = true; setTimeout(() => this.dispatchEvent(new Event("error")), AFTER_MS); };
    listen.call(this, name, name !== "load" || lost ? told : lose);
  };
})()"""
LATE_CLOSE = """(() => {
  const close = WebSocket.prototype.close;
  WebSocket.prototype.close = function () { setTimeout(() => close.call(this), 300); };
})()"""


def opened(open_page: Open, site: Site, script: str = "") -> Any:
    """Return the upload view in a page that ran the script before its own."""
    page = open_page("search")
    if script:
        page.add_init_script(script)
    page.goto(site.at("upload"))
    page.reload()
    page.wait_for_selector(".drop")
    return page


def first_socket(page: Any, begin: Callable[[Any], None]) -> list[Any]:
    """Do that with the page's first connection, and connect the others as usual; return all that are made."""
    made: list[Any] = []

    def on_socket(ours: Any) -> None:
        made.append(ours)
        if len(made) == 1:
            begin(ours)
        else:
            ours.connect_to_server()

    page.route_web_socket(SOCKET, on_socket)
    page.reload()
    page.wait_for_selector(".drop")
    return made


def swallow(ours: Any) -> None:
    """Be a connection that looks open and leads nowhere."""
    ours.on_message(lambda message: None)


def upload(page: Any, site: Site, name: str = "") -> None:
    photo = site.photos[SHOE].read_bytes()
    page.set_input_files("#files", {"name": name or f"{SHOE}.jpg", "mimeType": "image/jpeg", "buffer": photo})


def uploaded(site: Site, name: str) -> int:
    """Return how many photos of this name lie in the bucket."""
    return int(site.s3().list_objects_v2(Bucket=site.bucket, Prefix=f"uploads/{name}")["KeyCount"])


def refuse_once(page: Any, site: Site) -> None:
    """Let the bucket refuse the first form that it gets."""
    page.route(re.compile(f"{site.bucket}/?$"), lambda route: route.fulfill(status=403), times=1)


def test_after_a_refused_upload_another_try_succeeds_and_stays_so(open_page: Open, site: Site) -> None:
    page = open_page("search")
    page.clock.install()
    page.goto(site.at("upload"))
    page.reload()
    refuse_once(page, site)
    upload(page, site)
    page.wait_for_selector(".upload.failed")
    assert "HTTP 403" in page.inner_text(".upload")

    page.focus(".upload button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".upload.done")
    assert page.evaluate("document.activeElement.closest('.upload') !== null")

    page.clock.fast_forward("02:00:00")  # the first ticket's time is over, too
    page.wait_for_timeout(500)
    assert page.query_selector(".upload.done") is not None
    assert "running shoe" in page.inner_text(".upload")


def test_what_arrived_although_its_answer_was_lost_is_shown(open_page: Open, site: Site) -> None:
    page = opened(open_page, site, ANSWER_LOST.replace("AFTER_MS", "4000"))
    upload(page, site, "answer-lost.jpg")

    page.wait_for_selector(".upload.done")
    page.wait_for_timeout(5000)
    assert page.query_selector(".upload.done") is not None
    assert uploaded(site, "answer-lost") == 1


def test_another_try_after_a_lost_answer_makes_no_second_product(open_page: Open, site: Site) -> None:
    page = opened(open_page, site, ANSWER_LOST.replace("AFTER_MS", "0"))
    first_socket(page, swallow)
    upload(page, site, "tried-twice.jpg")
    page.wait_for_selector(".upload.failed")
    page.click("text=Try again")
    page.wait_for_selector(".upload.looking")
    page.evaluate("dispatchEvent(new Event('online'))")

    page.wait_for_selector(".upload.done")
    assert uploaded(site, "tried-twice") == 1


def test_what_the_gateway_could_not_take_is_shown_to_it_again(open_page: Open, site: Site) -> None:
    page = opened(open_page, site)
    made = first_socket(page, lambda ours: ours.on_message(lambda _: ours.send(json.dumps(GATEWAY_ERROR))))
    upload(page, site)

    page.wait_for_selector(".upload.done")
    assert len(made) == 2


def test_a_connection_that_breaks_after_the_ticket_was_shown_is_made_again(open_page: Open, site: Site) -> None:
    page = opened(open_page, site)
    made = first_socket(page, lambda ours: ours.on_message(lambda _: ours.close()))
    upload(page, site)

    page.wait_for_selector(".upload.done")
    assert len(made) == 2
    assert page.inner_text(".lost") == ""


def test_a_connection_that_only_looks_open_is_left_when_the_network_is_back(open_page: Open, site: Site) -> None:
    page = opened(open_page, site)
    made = first_socket(page, swallow)
    upload(page, site)
    page.wait_for_selector(".upload.looking")
    page.wait_for_timeout(1000)
    assert page.query_selector(".upload.done") is None
    page.evaluate("dispatchEvent(new Event('online'))")

    page.wait_for_selector(".upload.done")
    assert len(made) == 2


def test_all_tickets_are_shown_again_from_time_to_time(open_page: Open, site: Site) -> None:
    page = open_page("search")
    page.clock.install()
    page.goto(site.at("upload"))
    shown: list[str] = []
    first_socket(page, lambda ours: ours.on_message(lambda message: shown.append(json.loads(message)["ticket"])))
    upload(page, site, "one.jpg")
    upload(page, site, "two.jpg")
    page.wait_for_selector(".upload.looking >> nth=1")
    before = list(shown)
    assert len(set(before)) == 2
    page.clock.fast_forward("00:31")
    page.wait_for_timeout(1000)

    assert set(shown[len(before) :]) == set(before)


def test_a_connection_that_ends_late_is_not_taken_for_the_next_one(open_page: Open, site: Site) -> None:
    page = opened(open_page, site, LATE_CLOSE)
    made: list[Any] = []
    page.route_web_socket(
        SOCKET, lambda ours: (made.append(ours), ours.connect_to_server() if len(made) == 1 else None)
    )
    page.reload()
    upload(page, site)
    page.wait_for_selector(".upload.done")
    upload(page, site)
    page.wait_for_selector(".upload.looking")
    page.wait_for_timeout(1000)

    assert len(made) == 2
    assert page.inner_text(".lost") == ""


@pytest.mark.parametrize(
    ("status", "text"), [("gone", "The photo is no longer there."), ("undone", "Its last result was undone.")]
)
def test_what_has_no_keywords_for_good_is_not_called_tagged(
    open_page: Open, site: Site, status: str, text: str
) -> None:
    page = opened(open_page, site)

    def otherwise(ours: Any) -> None:
        def tell(message: str) -> None:
            told = json.loads(message)
            told["record"] |= {"status": status, "keywords": []}
            ours.send(json.dumps(told))

        ours.connect_to_server().on_message(tell)

    first_socket(page, otherwise)
    upload(page, site)
    page.wait_for_selector(".upload.ended")
    assert text in page.inner_text(".upload")
    assert "Tagged" not in page.inner_text(".upload")
    assert page.inner_text(".count") == "1 of 1 done"


def test_a_device_whose_clock_is_wrong_waits_as_long_as_the_ticket_lives(open_page: Open, site: Site) -> None:
    page = opened(open_page, site)

    def long_ago(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"expires_at": "2001-01-01T00:00:00+00:00", "seconds": 600})

    page.route(UPLOADS, long_ago)
    upload(page, site)
    page.wait_for_selector(".upload.done")


def test_a_file_that_is_dropped_beside_the_zone_does_not_take_the_pages_place(open_page: Open) -> None:
    page = open_page("upload")
    page.wait_for_selector(".drop")
    kept = page.evaluate(
        """() => ["dragover", "drop"].map((name) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["x"], "beside.jpg"));
          const event = new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true});
          document.body.dispatchEvent(event);
          return event.defaultPrevented;
        })"""
    )
    assert kept == [True, True]


def test_results_that_come_together_are_all_spoken(open_page: Open) -> None:
    page = open_page("upload")
    page.wait_for_selector(".drop")
    spoken = page.evaluate(
        """async () => {
          const { announce } = await import(new URL("page/dom.js", document.baseURI));
          ["one", "two", "three"].forEach(announce);
          await new Promise((resolve) => setTimeout(resolve, 300));
          return document.getElementById("news").textContent;
        }"""
    )
    assert spoken == "one; two; three"
