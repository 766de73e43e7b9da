"""A file is whole or not there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.whole_file import one_at_a_time, written_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_appears_when_it_is_whole_in_a_folder_that_is_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"

    with written_whole(path) as partial:
        partial.write_text("content")
        assert not path.exists()

    assert path.read_text() == "content"
    assert [child.name for child in path.parent.iterdir()] == ["file.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")

    with pytest.raises(OSError, match="full"):
        write_and_fail(path)

    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["file.json"]


def write_and_fail(path: Path) -> None:
    """Write half of a file, and then find the disk full."""
    with written_whole(path) as partial:
        partial.write_text("ha")
        raise OSError("the disk is full")


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    entering = "from pathlib import Path; from pipeline.whole_file import one_at_a_time\n"
    entering += f"with one_at_a_time(Path({str(tmp_path)!r})): print('in')"
    with one_at_a_time(tmp_path):
        other = subprocess.Popen([sys.executable, "-c", entering], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=0.5)
    printed, _ = other.communicate()

    assert printed == "in\n"
