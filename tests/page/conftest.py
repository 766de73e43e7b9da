"""The page in a real browser: the whole stack with the real model, the sample catalogue, and Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.clients import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIMIT_MS = 90_000  # of what is waited for; it takes under two seconds on an idle machine


@dataclass(frozen=True)
class Site:
    """The page's address, its images bucket, and the sample photos by product."""

    url: str
    bucket: str
    endpoint_url: str
    photos: dict[str, Path]
    home: Path
    table: str

    def at(self, view: str) -> str:
        """Return the address of a view."""
        return f"{self.url}#/{view}"

    def s3(self) -> Any:
        """Return a client of its S3."""
        return client("s3", self.endpoint_url)

    def wait_for_record(self, key: str) -> None:
        """Return when the photo has a record."""
        from tests.infra.local.scratch import wait_for  # noqa: PLC0415 - only here

        dynamodb, name = client("dynamodb", self.endpoint_url), f"s3://{self.bucket}/{key}"
        wait_for(lambda: "Item" in dynamodb.get_item(TableName=self.table, Key={"image": {"S": name}}))

    def type(self, *words: str) -> str:
        """Run a command as a person would, on this stack."""
        return _typed(words, _environment(self.home))


def _environment(home: Path) -> dict[str, str]:
    from pipeline.settings import model_dir  # noqa: PLC0415 - only here

    return {
        **os.environ,
        "CATALOG_TAGGER_HOME": str(home),
        "CATALOG_TAGGER_TARGET": "local",
        "MODEL_DIR": os.environ.get("MODEL_DIR") or str(model_dir()),
        "TAXONOMY_OVERLAY": "-",
    }


def _typed(words: tuple[str, ...], environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "infra.cli", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def site(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A local stack of its own, with the sample catalogue tagged and exported, and a second model to compare."""
    from infra.model.installed import install  # noqa: PLC0415 - only slow tests need it
    from infra.model.npm import Npm  # noqa: PLC0415 - as above
    from infra.model.sample_catalogue import sample_catalogue  # noqa: PLC0415 - as above
    from pipeline.settings import home as own_home  # noqa: PLC0415 - as above

    catalogue = sample_catalogue(own_home(), Npm(), lambda line: None)
    home = tmp_path_factory.mktemp("page")
    install("float32", real_model / "card.json", home, "float32")
    environment = _environment(home)
    try:
        told = json.loads(_typed(("local", "up", "--json"), environment))
        photos = {each.product: each.path for each in catalogue.photos}
        site = Site(
            told["page"], told["stack"]["ImagesBucket"], told["endpoint_url"], photos, home, told["stack"]["TableName"]
        )
        for product, path in photos.items():
            site.s3().put_object(Bucket=site.bucket, Key=f"{product}.jpg", Body=path.read_bytes())
        _wait_for_records(told, len(photos))
        _typed(("export",), environment)
        yield site
    finally:
        _typed(("local", "down", "--purge"), environment)


def _wait_for_records(told: dict[str, Any], count: int) -> None:
    from tests.infra.local.scratch import wait_for  # noqa: PLC0415 - only here

    dynamodb = client("dynamodb", told["endpoint_url"])
    table = told["stack"]["TableName"]
    wait_for(lambda: dynamodb.scan(TableName=table, Select="COUNT", ConsistentRead=True)["Count"] >= count)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, of this machine; closed with each file of tests, since its event loop runs until then."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Opens views, each in a browser context of its own, and finds that nothing went wrong in any of them."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def look_at(view: str = "search", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-GB"} | options)
        context.set_default_timeout(LIMIT_MS)
        contexts.append(context)
        page = context.new_page()
        note_faults(page, wrong, site.endpoint_url)
        page.goto(site.at(view))
        return page

    yield look_at
    for context in contexts:
        context.close()
    assert wrong == []


def note_faults(page: Any, wrong: list[str], *hosts: str) -> None:
    """Note what goes wrong in the page: errors, complaints of the browser, and requests to other hosts than these."""
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on("request", lambda request: _note_stranger(request.url, wrong, hosts))


def _is_wrong(message: Any) -> bool:
    """Return whether the browser complains: of a policy broken, of a script; not of a photo that is none."""
    return message.type == "error" and "Failed to load resource" not in message.text


def _note_stranger(url: str, wrong: list[str], hosts: tuple[str, ...]) -> None:
    if not url.startswith(("blob:", "data:", *hosts, *(host.replace("http", "ws") for host in hosts))):
        wrong.append(f"asked somebody else: {url}")
