"""`report OUT.html`: counts of a catalogue, and its pictures, in one file that a browser shows."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from infra.photos import KnownPhoto
from infra.report import CatalogueReport
from pipeline.keywords import KeywordTag
from tests.builders import jpeg
from tests.results_sink.small_shop import small_vocabulary

if TYPE_CHECKING:
    from pathlib import Path


def photo(name: str, *keyword_ids: str) -> KnownPhoto:
    return KnownPhoto(f"s3://shop/{name}", tuple(KeywordTag(keyword_id, 0.9) for keyword_id in keyword_ids))


CATALOGUE = CatalogueReport(
    [
        photo("<b>1</b>.jpg", "cowboy-boot", "boot"),
        photo("2.jpg", "sneaker"),
        photo("3.jpg", "chair"),
        photo("4.jpg"),
        KnownPhoto("s3://shop/5.jpg", refused="corrupt: it ends too early"),
    ],
    small_vocabulary(),
    [["s3://shop/2.jpg", "s3://shop/3.jpg"]],
)


def test_photos_are_counted_by_category_and_by_what_became_of_them() -> None:
    document = CATALOGUE.document()
    assert (document["photos"], document["tagged"], document["needs_a_look"]) == (5, 4, 1)
    assert document["rejected"] == {"corrupt": 1}
    assert document["categories"] == {"fashion > footwear": 2, "home > chair": 1}
    assert document["duplicates"] == 1


def test_the_largest_category_comes_first_and_names_are_escaped() -> None:
    sections = CATALOGUE.sections()
    assert [section.title for section in sections] == [
        "fashion &gt; footwear: 2",
        "home &gt; chair: 1",
        "The same photo under several names: 1",
        "Need a look: 1",
    ]
    assert sections[0].figures[0].caption == "cowboy boot, boot<br><small>b&gt;.jpg</small>"
    opening = CATALOGUE.opening("<shop>")
    assert "&lt;shop&gt;" in opening
    assert "75 % of 4 photos have keywords." in opening


def test_an_empty_catalogue_says_so() -> None:
    assert "There are no photos." in CatalogueReport([], small_vocabulary()).opening("shop")


def test_a_folder_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "/no/such/report.html"]) == 2
    assert capsys.readouterr().err == (
        "catalog-tagger: /no/such/report.html cannot be written: there is no folder /no/such\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no browser on this machine")
def test_the_report_of_a_folder_opens_in_a_browser(
    real_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - loaded where there is a browser

    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(jpeg("red", (300, 200)))
    (tmp_path / "photos" / "cut.jpg").write_bytes(jpeg()[:200])
    out = tmp_path / "report.html"
    assert main(["report", str(out), "--from", str(tmp_path / "photos"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {"corrupt": 1}

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto(out.as_uri())
        sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        heading = page.inner_text("h1")
        browser.close()
    assert problems == []
    assert sizes
    assert min(sizes) > 0
    assert heading.startswith("Catalogue of ")
