"""The first command that needs the model builds it, and says so where it is in no program's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from infra.model import first_use

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are run instead of a build, on a machine without a model."""
    commands: list[list[str]] = []

    def run(words: list[str]) -> int:
        commands.append(words)
        print("model     resnet50")  # noqa: T201 - as the command does
        return 0

    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setattr(first_use, "catalog_tagger", run)
    return commands


def test_the_model_is_built_where_there_is_none_and_nothing_is_printed_for_programs(
    typed: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    first_use.ensure_model()

    out, err = capsys.readouterr()
    assert typed == [["model", "build"]]
    assert out == ""
    assert err.startswith("The model is not here yet. It is fetched (95 MB) and built once")
    assert "resnet50" in err


def test_a_model_that_is_there_is_left_as_it_is(typed: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.json").touch()

    first_use.ensure_model()

    assert typed == []


def test_nothing_is_built_into_a_folder_that_somebody_named(
    typed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "mistyped"))

    first_use.ensure_model()

    assert typed == []


@pytest.mark.usefixtures("typed")
def test_a_build_that_fails_ends_the_command_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_use, "catalog_tagger", lambda words: 2)

    with pytest.raises(click.exceptions.Exit) as ended:
        first_use.ensure_model()

    assert ended.value.exit_code == 2
