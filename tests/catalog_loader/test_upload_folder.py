"""`upload`: a folder's photos arrive in the bucket once, and what is no photo stays behind."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click
import pytest

from catalog_loader.commands import load as load_command
from catalog_loader.commands import upload as upload_command
from catalog_loader.console import Console
from pipeline.errors import CallerError
from pipeline.images import ImageRef

if TYPE_CHECKING:
    from pathlib import Path

    from tests.catalog_loader.conftest import Twins

PERSON, PROGRAM = (Console(as_json, click.echo, partial(click.echo, err=True)) for as_json in (False, True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two photos and two files that are none."""
    root = tmp_path / "photos"
    (root / "shoes").mkdir(parents=True)
    (root / "a.jpg").write_bytes(b"a")
    (root / "shoes" / "b c.png").write_bytes(b"b")
    (root / "notes.txt").write_bytes(b"notes")
    (root / ".DS_Store").write_bytes(b"mac")
    return root


def test_photos_are_uploaded_below_the_name_of_their_folder(twins: Twins, folder: Path) -> None:
    assert upload_command.upload(str(folder), None, twins.connect, PERSON) == 0

    assert sorted(twins.files["s3://shop/photos/"].names()) == ["a.jpg", "shoes/b c.png"]


def test_the_report_counts_what_was_sent_and_skipped(
    twins: Twins, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_command.upload(str(folder), "summer", twins.connect, PROGRAM)

    assert json.loads(capsys.readouterr().out) == {
        "target": "s3://shop/summer/",
        "uploaded": 2,
        "unchanged": 0,
        "skipped": 2,
        "skipped_by": {".txt": 1, "system file": 1},
    }


def test_a_photo_whose_bytes_are_there_is_not_sent_again(
    twins: Twins, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.images.put(ImageRef("shop", "photos/a.jpg"), b"a")
    twins.images.put(ImageRef("shop", "photos/shoes/b c.png"), b"x")  # as long, but other bytes

    upload_command.upload(str(folder), None, twins.connect, PROGRAM)

    assert list(twins.files["s3://shop/photos/"].names()) == ["shoes/b c.png"]
    assert json.loads(capsys.readouterr().out)["unchanged"] == 1


def test_a_dry_run_uploads_nothing(twins: Twins, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    upload_command.upload(str(folder), None, twins.connect, PROGRAM, dry_run=True)

    assert twins.files == {}
    assert json.loads(capsys.readouterr().out)["would_upload"] == 2


def test_a_folder_without_photos_wants_attention(twins: Twins, tmp_path: Path) -> None:
    assert upload_command.upload(str(tmp_path), None, twins.connect, PERSON) == 1


def test_a_folder_that_is_not_there_is_the_callers_mistake(twins: Twins, tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="there is no folder"):
        upload_command.upload(str(tmp_path / "nowhere"), None, twins.connect, PERSON)


def test_load_points_to_upload_where_a_folder_is_given(twins: Twins, folder: Path) -> None:
    with pytest.raises(CallerError, match="catalog-tagger upload"):
        load_command.load(load_command.LoadRequest(str(folder)), twins.connect, PERSON)
