"""The page, for a first look: what ``make demo`` says of it, and ``make open`` as a person types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli import main
from infra.demo import say_how_to_go_on
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from infra.package import ROOT
from pipeline.settings import home
from tests.infra.local.scratch import wait_for

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
    assert recipe("open") == "@$(BIN)/catalog-tagger open $(FOLDER)"
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


def photos_on_the_page(address: str) -> set[str]:
    """Return the names of the photos that a search for anything at all finds."""
    return {
        result["image"].rsplit("/", 1)[-1]
        for result in answer(f"{address}v1/search?q=shoe%20OR%20NOT%20shoe&limit=100")["results"]
    }


@pytest.mark.slow
def test_the_page_opens_with_the_sample_catalogue_and_again_as_it_was(desk: Desk) -> None:
    said = desk.run("infra.cli", "open")

    address = desk.opened.read_text().strip()
    assert f"The page: {address}" in said
    with urllib.request.urlopen(address, timeout=60) as page:
        assert page.headers.get_content_type() == "text/html"
    assert len(photos_on_the_page(address)) == CATALOGUE
    assert [model["model"] for model in answer(f"{address}v1/models")["models"]] == ["default", "float32"]

    again = desk.run("infra.cli", "open")
    assert desk.opened.read_text().split() == [address, address]
    assert f"unchanged   {CATALOGUE}" in again


@pytest.mark.slow
def test_the_page_opens_with_the_photos_of_a_folder_and_takes_up_what_is_new(desk: Desk, tmp_path: Path) -> None:
    catalogue = sorted((tmp_path / "home" / "sample-catalogue").rglob("*.jpg"))
    folder = tmp_path / "my photos"
    (folder / "new").mkdir(parents=True)
    (folder / "notes.txt").write_text("no photo")
    for number, photo in enumerate(catalogue[:3]):
        shutil.copy(photo, folder / f"{number}.jpg")
    before = sorted(folder.rglob("*"))

    desk.run("infra.cli", "open", str(folder), "--no-browser")
    assert sorted(folder.rglob("*")) == before

    shutil.copy(catalogue[3], folder / "new" / "3.jpg")
    said = desk.run("infra.cli", "open", str(folder), "--no-browser")

    assert "uploaded    1" in said
    assert "unchanged   3" in said
    assert not desk.opened.exists()
    address = said.split("The page: ")[1].split()[0]
    wait_for(lambda: photos_on_the_page(address) == {"0.jpg", "1.jpg", "2.jpg", "3.jpg"})


def test_a_folder_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "/no/such/folder"]) == 2
    assert capsys.readouterr().err == "catalog-tagger: there is no folder /no/such/folder\n"
