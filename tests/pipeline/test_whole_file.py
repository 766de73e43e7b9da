"""A file is whole or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.whole_file import written_whole

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
