"""docs/architecture.md names files that exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.fenced import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = "pipeline|catalog_loader|tagging_lambda|results_sink|infra|tests|docs"
NAMES = sorted(set(re.findall(rf"`((?:{ROOMS})/[\w/]*(?:\.\w+)?)`", PAGE)))


def test_the_page_names_the_files_of_every_step() -> None:
    assert len(NAMES) > 30
    assert len(PAGE.splitlines()) < 90, "it is one page"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_the_page_names_exists(name: str) -> None:
    path = ROOT / name

    assert path.is_dir() if name.endswith("/") else path.is_file()
