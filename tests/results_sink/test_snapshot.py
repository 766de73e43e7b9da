"""Opening an export: what is missing or damaged is said, by the name of the file."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadExport
from pipeline.folder import FolderFiles
from pipeline.memory.files import MemoryFiles
from results_sink.export.manifest import LATEST_NAME, SCHEMA_VERSION, FileSum
from results_sink.search.snapshot import Downloaded
from tests.results_sink.small_shop import exported, searcher_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.ports import FileStore


@pytest.fixture(params=["memory", "folder"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """An export, in memory or in a folder."""
    store: FileStore = MemoryFiles() if request.param == "memory" else FolderFiles(tmp_path / "export")
    exported(store, tmp_path)
    return store


def change(files: FileStore, name: str, tmp_path: Path, damage: Callable[[bytes], bytes | None]) -> None:
    """Change the file's bytes, or remove it."""
    data = damage(files.read(name) or b"")
    if data is None:
        files.delete([name])
        return
    source = tmp_path / "changed"
    source.write_bytes(data)
    files.write(name, source)


def flip(data: bytes) -> bytes:
    """Return the bytes with one in the middle changed."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def only(files: FileStore, ending: str) -> str:
    """Return the one name with this ending."""
    [name] = [name for name in files.names() if name.endswith(ending)]
    return name


def test_where_nothing_was_exported_the_way_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadExport, match=r"^the export holds no export; run `catalog-tagger export` first$"):
        searcher_of(FolderFiles(tmp_path / "nothing"), tmp_path)


@pytest.mark.parametrize("ending", ["images/part-00000.parquet", "manifest.json"])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (flip, "is damaged: its SHA-256 is not what"),
        (lambda data: data[:-1], r"is damaged: it has [\d,]+ bytes; "),
        (lambda data: data + b"x", r"is damaged: it has [\d,]+ bytes; "),
        (lambda _: b"", "is damaged: it has 0 bytes; "),
        (lambda _: None, "is missing"),
    ],
)
def test_a_damaged_file_is_named(
    files: FileStore, tmp_path: Path, ending: str, damage: Callable[[bytes], bytes | None], what: str
) -> None:
    change(files, only(files, ending), tmp_path, damage)

    with pytest.raises(BadExport, match=rf"{ending} {what}"):
        searcher_of(files, tmp_path).search("boot")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"schema_version": 1}', b'{"schema_version": 1, "deltas": 5}', b"\xff\xfe"]
)
def test_a_pointer_that_is_none_is_damaged(files: FileStore, tmp_path: Path, data: bytes) -> None:
    change(files, LATEST_NAME, tmp_path, lambda _: data)

    with pytest.raises(BadExport, match=r"latest.json is damaged"):
        searcher_of(files, tmp_path)


def test_an_export_of_a_later_schema_is_not_read(files: FileStore, tmp_path: Path) -> None:
    def later(data: bytes) -> bytes:
        return json.dumps(json.loads(data) | {"schema_version": SCHEMA_VERSION + 1}).encode()

    change(files, LATEST_NAME, tmp_path, later)

    with pytest.raises(BadExport, match=r"latest.json is of schema version 2; this program reads up to 1"):
        searcher_of(files, tmp_path)


def test_what_a_later_program_adds_is_passed_over(files: FileStore, tmp_path: Path) -> None:
    change(files, LATEST_NAME, tmp_path, lambda data: json.dumps(json.loads(data) | {"added": 1}).encode())

    assert searcher_of(files, tmp_path).search("boot").total == 3


def test_a_file_is_downloaded_once_and_kept_by_its_sum(tmp_path: Path) -> None:
    class Counting(MemoryFiles):
        reads: list[str] = []  # noqa: RUF012 - one test, one store

        def read(self, name: str) -> bytes | None:
            self.reads.append(name)
            return super().read(name)

    files = Counting()
    exported(files, tmp_path)
    files.reads.clear()
    for _ in range(2):
        assert searcher_of(files, tmp_path).search("boot").total == 3

    assert sum(name.endswith(".parquet") for name in files.reads) == 1
    assert len(list((tmp_path / "copies").iterdir())) == 1


@pytest.mark.parametrize("damage", [flip, lambda _: b"PAR1"])
def test_a_damaged_copy_is_downloaded_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    files = MemoryFiles()
    exported(files, tmp_path)
    searcher_of(files, tmp_path).search("boot")
    [copy] = (tmp_path / "copies").iterdir()
    copy.write_bytes(damage(copy.read_bytes()))

    assert searcher_of(files, tmp_path).search("boot").total == 3


def test_a_damaged_download_is_not_kept(tmp_path: Path) -> None:
    files = MemoryFiles()
    manifest = exported(files, tmp_path)
    change(files, only(files, "images/part-00000.parquet"), tmp_path, flip)

    with pytest.raises(BadExport):
        searcher_of(files, tmp_path).search("boot")
    assert manifest.images[0].sha256 not in str(list(tmp_path.rglob("*")))
    assert not (tmp_path / "copies").exists()


def brought(copies: Downloaded, number: int) -> Path:
    """Bring a file of 100 bytes and return its copy."""
    data = str(number).encode().zfill(100)
    assert isinstance(copies.files, MemoryFiles)
    copies.files.files[str(number)] = data
    return copies.path_of(FileSum(str(number), len(data), hashlib.sha256(data).hexdigest()))


def test_only_the_copies_that_were_used_last_are_kept_up_to_so_many_bytes(tmp_path: Path) -> None:
    copies = Downloaded(MemoryFiles(), "the export", tmp_path / "copies", kept_bytes=700)
    left_behind = tmp_path / "copies" / "killed.half"
    os.utime(brought(copies, 0), ns=(0, 0))
    left_behind.write_bytes(b"half")
    os.utime(left_behind, ns=(0, 0))
    for at in range(1, 12):
        os.utime(brought(copies, at), ns=(at, at))

    left = sorted(int(path.read_bytes()) for path in (tmp_path / "copies").iterdir())
    assert left == list(range(5, 12))


def test_a_copy_that_may_be_about_to_be_opened_is_not_removed(tmp_path: Path) -> None:
    copies = Downloaded(MemoryFiles(), "the export", tmp_path / "copies", kept_bytes=300)
    paths = [brought(copies, at) for at in range(10)]

    assert all(path.is_file() for path in paths)


def test_a_copy_that_is_asked_for_again_counts_as_used(tmp_path: Path) -> None:
    copies = Downloaded(MemoryFiles(), "the export", tmp_path / "copies", kept_bytes=300)
    for at in range(2):
        os.utime(brought(copies, at), ns=(at, at))
    path = brought(copies, 0)
    for at in range(2, 9):
        os.utime(brought(copies, at), ns=(at, at))

    assert path.is_file()
