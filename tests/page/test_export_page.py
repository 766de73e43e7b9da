"""The page of `open --from` in a real browser: it offers what an export can do, and nothing that only a stack can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.folder import FolderFiles
from tests.builders import jpeg
from tests.infra.served_export import local, serving
from tests.results_sink.small_shop import exported, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
OF_A_STACK = ".rates, .offers, form.missing, .acts button, label[for=photo], a[href^='#/review'], a[href^='#/upload']"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    photo = tmp_path / "boot.jpg"
    photo.write_bytes(jpeg("red"))
    folder = tmp_path / "tagged"
    folder.mkdir()
    exported(FolderFiles(folder), tmp_path / "work", [local(tagged("boot.jpg", boot=0.9, footwear=0.95), photo)])
    with serving(folder) as address:
        yield address


def test_the_page_of_an_export_offers_no_decisions_and_no_views_that_only_a_stack_has(
    browser: Any, address: str
) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    refused: list[str] = []
    page.on("response", lambda answer: answer.status >= 400 and refused.append(answer.url))

    page.goto(address)
    page.click(".card a")
    page.wait_for_selector(".keywords li")
    page.wait_for_load_state("networkidle")
    assert page.query_selector_all(f"{OF_A_STACK}, .siblings:not([hidden])") == []
    assert page.locator("#top nav a").all_inner_texts() == ["Search"]

    for view in ("review", "upload", "compare", "status"):
        page.goto(f"{address}/#/{view}")
        page.wait_for_selector(".card a")
        assert page.query_selector_all(OF_A_STACK) == []
    assert refused == []
