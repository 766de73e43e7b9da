"""The lock that says whether the local stack lives, and what it leaves."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.place import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_where_nothing_was_started_nothing_lives(tmp_path: Path) -> None:
    assert not Place(tmp_path / "nowhere").is_alive()
    assert not Place(tmp_path).is_alive()


def test_a_process_that_was_handed_the_lock_is_alive_until_it_ends(place: Place) -> None:
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with place.life_lock() as lock:
        process = subprocess.Popen(sleeper, stdin=subprocess.PIPE, pass_fds=[lock.fileno()])
    try:
        assert place.is_alive()
        with pytest.raises(BlockingIOError):
            place.life_lock()
    finally:
        process.communicate()

    assert not place.is_alive()


def test_asking_whether_it_lives_does_not_keep_it_from_starting(place: Place) -> None:
    for _ in range(3):
        assert not place.is_alive()

    place.life_lock().close()


def test_what_a_stopped_emulator_leaves_is_removed_and_its_state_is_not(place: Place) -> None:
    for folder in (place.scratch, place.state, place.objects):
        folder.mkdir()
        (folder / "file").touch()
    place.tidy()

    assert not place.scratch.exists()
    assert (place.state / "file").exists()
    assert (place.objects / "file").exists()


def test_there_is_a_state_to_come_back_to_after_a_clean_stop_only(place: Place) -> None:
    place.state.mkdir()
    assert not place.was_stopped_cleanly_once()
    (place.state / "cloudformation.json").touch()

    assert place.was_stopped_cleanly_once()
