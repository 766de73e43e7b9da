"""The page, for a first look: what ``make demo`` says of it, and ``make open`` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from infra.demo import say_how_to_go_on
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from infra.package import ROOT
from pipeline.settings import home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOGUE = 54  # photos that the sample catalogue has


def recipe(target: str) -> str:
    """Return what make does for the target, its own lines alone."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith(f"{target}:"))
    return lines[at + 1].strip()


def test_the_demo_ends_with_how_to_open_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    say_how_to_go_on()

    told = capsys.readouterr().out
    assert "make open" in told
    assert "page" in told
    assert recipe("open") == "@$(BIN)/python -m infra open"
    assert recipe("demo") == "@$(BIN)/python -m infra demo"


class Desk:
    """A person's machine: a folder of its own for everything kept, and a browser that notes what it is to open."""

    def __init__(self, folder: Path, model_dir: Path) -> None:
        self.opened = folder / "opened"
        browser = folder / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" >> {self.opened}\n')
        browser.chmod(0o755)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "BROWSER": str(browser),
            "CATALOG_TAGGER_HOME": str(folder / "home"),
            "MODEL_DIR": str(model_dir),
            "TAXONOMY_OVERLAY": "-",
        }

    def run(self, *words: str) -> str:
        """Run a module of ours, and return what it says."""
        command = [sys.executable, "-m", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=False, capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path, real_model: Path) -> Iterator[Desk]:
    """A person's machine, on which the sample catalogue was fetched before."""
    kept = tmp_path / "home"
    kept.mkdir()
    (kept / "sample-catalogue").symlink_to(sample_catalogue(home(), Npm(), lambda line: None).folder)
    desk = Desk(tmp_path, real_model)
    try:
        yield desk
    finally:
        desk.run("infra.cli", "local", "down", "--purge")


def answer(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=60) as answered:
        return json.loads(answered.read())


@pytest.mark.slow
def test_make_open_opens_the_page_with_the_catalogue_on_it_and_again_as_it_was(desk: Desk) -> None:
    said = desk.run("infra", "open")

    address = desk.opened.read_text().strip()
    assert f"The page: {address}" in said
    assert "$ catalog-tagger export" in said
    with urllib.request.urlopen(address, timeout=60) as page:
        assert page.headers.get_content_type() == "text/html"
    assert answer(f"{address}search?q=running%20shoe")["results"][0]["image"].endswith("running-shoe.jpg")
    told = answer(f"{address}status")
    assert told["tagged"] + sum(told["rejected"].values()) == CATALOGUE
    assert [each["model"] for each in answer(f"{address}models")["models"]] == ["default", "float32"]

    again = desk.run("infra", "open")
    assert desk.opened.read_text().split() == [address, address]
    assert "$ catalog-tagger export" not in again
    assert answer(f"{address}status")["tagged"] == told["tagged"]
