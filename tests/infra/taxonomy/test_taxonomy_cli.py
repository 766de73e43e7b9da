"""`catalog-tagger taxonomy` as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop's own file, as docs/settings.md shows one."""
    path = tmp_path / "overlay.csv"
    path.write_text("id,parents,use,en,de\nn03680355,,,slip-ons,+Schlupfschuh\nshop-clogs,n04199027,keyword,clogs,\n")
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(path))


def test_it_prints_ids_and_words_with_those_of_the_shop(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) > 500
    assert any(line.startswith("n04120489") and "running shoe" in line for line in lines)
    assert any(line.startswith("shop-clogs") and "clogs  < " in line for line in lines)


def test_a_word_chooses_and_a_language_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "laufschuh", "--language", "de", "--json"]) == 0
    [keyword] = json.loads(capsys.readouterr().out)["keywords"]

    assert (keyword["id"], keyword["keyword"]) == ("n04120489", "Laufschuh")
    assert main(["taxonomy", "nosuchword"]) == 2
    assert main(["taxonomy", "--language", "xx"]) == 2
