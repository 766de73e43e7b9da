"""The page's files come as they are, with a policy that lets nothing else run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.front_settings import PageSettings
from results_sink.http.page_files import AllowedHosts, PageFiles, add_routes
from tests.api_caller import ApiAnswer, caller_for

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parents[2] / "results_sink" / "page"
ON_AWS = {
    "AWS_REGION": "eu-central-1",
    "WATCH_API_ID": "abc",
    "WATCH_API_STAGE": "watch",
    "PHOTO_BUCKETS": "one,two",
    "SIGN_IN_URL": "https://shop.auth.example",
    "SIGN_IN_CLIENT": "page",
    "DECIDE_SCOPE": "shop/decide",
}


@pytest.fixture
def page() -> PageFiles:
    settings = PageSettings.from_environment(ON_AWS)
    watch = f"wss://{settings.watch.host}"
    hosts = AllowedHosts(settings.photo_hosts, watch, settings.sign_in_url)
    return PageFiles(FOLDER, {"watch": watch}, hosts, lambda: '{"openapi": "3.1.0"}')


@pytest.fixture
def get(page: PageFiles) -> Callable[..., ApiAnswer]:
    return caller_for(lambda app: add_routes(app, page)).get


def test_the_first_file_names_the_others_and_all_are_there(get) -> None:
    named = set(re.findall(r'(?:href|src)="page/([^"]+)"', get("/").body))
    imported = {
        name for path in FOLDER.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', path.read_text("utf-8"))
    }

    assert named
    assert all(get(f"/page/{name}").status == 200 for name in named | imported)


def test_the_page_of_the_document_runs_its_own_files_alone_and_in_no_frame(get) -> None:
    docs = get("/docs")
    files = re.findall(r'(?:href|src)="([^"]+)"', docs.body)

    assert docs.headers["content-type"].startswith("text/html")
    assert all(file == "data:," or get(f"/{file}").status == 200 for file in files)
    assert "swagger-ui-bundle.min.js" in docs.body
    policy = dict(part.split(" ", 1) for part in docs.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert docs.headers["x-frame-options"] == "DENY"
    assert not re.findall(r"<script>|\bon\w+=", docs.body)


def test_the_document_lies_beside_its_page(get) -> None:
    assert get("/openapi.json").body == {"openapi": "3.1.0"}


def test_the_policy_names_whom_the_page_may_talk_to_and_nobody_else(page: PageFiles) -> None:
    policy = dict(part.split(" ", 1) for part in page.policy.split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert set(policy["connect-src"].split()) == {
        "'self'",
        "https://one.s3.eu-central-1.amazonaws.com",
        "https://two.s3.eu-central-1.amazonaws.com",
        "wss://abc.execute-api.eu-central-1.amazonaws.com",
        "https://shop.auth.example",
    }
    assert "unsafe" not in page.policy
    assert "*" not in page.policy


@pytest.mark.parametrize("name", ["../front.py", "..", "/etc/passwd", "none.js", ".", "page.css/../../front.py"])
def test_no_name_leads_out_of_the_folder(get, name: str) -> None:
    assert get(f"/page/{name}").status == 404


def test_a_browser_that_has_a_file_gets_it_no_second_time(get) -> None:
    first = get("/page/page.css")
    again = get("/page/page.css", if_none_match=first.headers["etag"])

    assert (again.status, again.data) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_the_settings_are_told_as_json(get) -> None:
    assert get("/page/settings.json").body == {"watch": "wss://abc.execute-api.eu-central-1.amazonaws.com"}


def test_on_the_embedded_aws_everything_has_one_address() -> None:
    settings = PageSettings.from_environment(ON_AWS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})

    assert settings.watch.url == "http://127.0.0.1:4566/_aws/execute-api/abc/watch"
    assert settings.watch.host == ""
    assert settings.photo_hosts[0] == "http://127.0.0.1:4566"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_nothing_from_outside_is_ever_read_as_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for name in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert name not in text
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)[a-z]", text)


def test_every_word_of_the_page_is_said_in_every_language() -> None:
    text = (FOLDER / "words.js").read_text(encoding="utf-8")
    table = text[text.index("const WORDS = {") : text.index("\n};")]
    rows = dict(re.findall(r"^  (\w+): (\[.*\]),$", table, re.MULTILINE))
    used = {
        name for path in FOLDER.glob("*.js") for name in re.findall(r'\bsay\("(\w+)"', path.read_text(encoding="utf-8"))
    }

    assert used <= set(rows)
    for name, row in rows.items():
        said = json.loads(row)
        assert len(said) == 4, name
        assert all(said), name
        assert len({tuple(sorted(re.findall(r"\{\d\}", each))) for each in said}) == 1, name
