"""`catalog-tagger local` as a person types it, where nothing has to be started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from pipeline.stack import LocalRun, local_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Said = tuple[int, str, str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.delenv("MODEL_DIR", raising=False)
    return local_folder()


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: str) -> Said:
        code = main(["local", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def left_behind(folder: Path, pid: int | None) -> None:
    folder.mkdir(parents=True)
    LocalRun(port=4567, pid=pid).save(folder)


def test_status_where_there_is_no_local_stack_says_how_to_make_one(command) -> None:
    assert command("status") == (1, "There is no local stack; `catalog-tagger local up` makes one.\n", "")


def test_status_of_a_stack_that_is_down_says_how_to_start_it(command, folder: Path) -> None:
    left_behind(folder, pid=None)

    assert command("status") == (1, "The local stack is down; `catalog-tagger local up` starts it.\n", "")


def test_status_of_a_stack_that_died_wants_attention(command, folder: Path) -> None:
    left_behind(folder, pid=1)  # a process that lives, and is not ours
    code, out, _ = command("status")

    assert code == 1
    assert out == "The local stack has ended without `local down`; `catalog-tagger local up` starts it again.\n"


def test_status_as_json_is_one_document(command, folder: Path) -> None:
    left_behind(folder, pid=None)
    code, out, err = command("status", "--json")

    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "state": "down",
        "endpoint_url": "http://127.0.0.1:4567",
        "pid": None,
        "api": None,
        "auth": None,
        "page": None,
        "sign_in": None,
        "stack": None,
        "queues": {},
    }


def test_asking_for_the_status_leaves_nothing_behind(command, folder: Path) -> None:
    command("status")

    assert not folder.exists()


def test_down_where_there_is_no_local_stack_is_no_mistake(command) -> None:
    assert command("down") == (0, "There is no local stack.\n", "")


def test_down_twice_is_no_mistake(command, folder: Path) -> None:
    left_behind(folder, pid=None)

    assert command("down") == (0, "The local stack is down already.\n", "")


def test_down_of_a_stack_that_died_says_that_nothing_is_lost(command, folder: Path) -> None:
    left_behind(folder, pid=1)
    code, out, err = command("down")

    assert (code, out) == (0, "The local stack is down.\n")
    assert "all that it had acknowledged comes back" in err
    assert command("status")[0] == 1


def test_purge_forgets_everything(command, folder: Path) -> None:
    left_behind(folder, pid=None)
    code, out, _ = command("down", "--purge")

    assert code == 0
    assert out.endswith("All that it held is gone.\n")
    assert not folder.exists()


def test_up_without_a_model_says_how_to_get_one(command) -> None:
    code, out, err = command("up")

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "`catalog-tagger model build` makes the default model" in err


def test_a_command_for_a_stack_that_is_down_is_a_mistake_of_one_line(folder: Path, capsys) -> None:
    left_behind(folder, pid=None)
    code = main(["load", "s3://shop/"])

    assert code == 2
    assert capsys.readouterr().err.startswith("catalog-tagger: the local stack is down; `catalog-tagger local up`")
