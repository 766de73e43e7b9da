"""What a file store promises, asked of the fake, of a folder, and of S3 on two emulators."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pipeline.aws import s3
from pipeline.errors import RetryLater
from pipeline.folder import FolderFiles
from pipeline.images import BucketPrefix
from pipeline.memory.files import MemoryFiles
from tests.aws_world import AwsWorld, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.ports import FileStore


@pytest.fixture(params=["fake", "folder", "moto", pytest.param("ministack", marks=pytest.mark.slow)])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """An empty place for an export."""
    if request.param == "fake":
        return MemoryFiles()
    if request.param == "folder":
        return FolderFiles(tmp_path / "not" / "yet")
    if request.param == "moto":
        return _s3_files(request.getfixturevalue("moto"))
    request.getfixturevalue("aws_environment")
    return _s3_files(AwsWorld(request.getfixturevalue("ministack")))


def _s3_files(world: AwsWorld) -> s3.S3Files:
    bucket = world.bucket()
    world.s3.put_object(Bucket=bucket, Key="elsewhere/x", Body=b"not ours")
    return s3.S3Files(world.s3, BucketPrefix(bucket, "export/"))


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    """Makes a file of these bytes."""

    def make(data: bytes) -> Path:
        path = tmp_path / "source"
        path.write_bytes(data)
        return path

    return make


def test_a_file_is_read_as_it_was_written(files: FileStore, source: Callable[[bytes], Path]) -> None:
    files.write("images/part 0+é.parquet", source(b"PAR1"))

    assert files.read("images/part 0+é.parquet") == b"PAR1"


def test_a_file_that_is_written_again_holds_the_new(files: FileStore, source: Callable[[bytes], Path]) -> None:
    files.write("latest.json", source(b"a longer old text"))
    files.write("latest.json", source(b"new"))

    assert files.read("latest.json") == b"new"
    assert list(files.names()) == ["latest.json"]


def test_a_file_that_is_not_there_reads_as_none(files: FileStore) -> None:
    assert files.read("latest.json") is None


def test_a_file_is_downloaded_into_another(files: FileStore, source: Callable[[bytes], Path], tmp_path: Path) -> None:
    files.write("inventory/a b.csv.gz", source(b"rows"))

    assert files.download("inventory/a b.csv.gz", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"rows"
    assert not files.download("inventory/other", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_names_are_sorted_and_keep_to_their_prefix(files: FileStore, source: Callable[[bytes], Path]) -> None:
    for name in ("b/2", "b/1", "a", "b.json", "c/d/e"):
        files.write(name, source(b"x"))

    assert list(files.names()) == ["a", "b.json", "b/1", "b/2", "c/d/e"]
    assert list(files.names("b/")) == ["b/1", "b/2"]
    assert list(files.names("b")) == ["b.json", "b/1", "b/2"]
    assert list(files.names("z")) == []


def test_an_empty_place_has_no_names(files: FileStore) -> None:
    assert list(files.names()) == []


def test_deleted_files_are_gone_and_absent_ones_no_error(files: FileStore, source: Callable[[bytes], Path]) -> None:
    files.write("a", source(b"x"))
    files.write("b", source(b"x"))

    files.delete(["a", "never"])
    files.delete([])

    assert list(files.names()) == ["b"]
    assert files.read("a") is None


def test_a_thousand_files_are_deleted_by_one_call(moto: AwsWorld) -> None:
    files = _s3_files(moto)

    files.delete([f"{at}.parquet" for at in range(1001)])

    assert moto.calls["DeleteObjects"] == 2


def test_files_that_could_not_be_deleted_are_tried_again_later(moto: AwsWorld) -> None:
    files = _s3_files(moto)
    answer(moto.s3, {"Errors": [{"Key": "export/a", "Code": "InternalError"}]})

    with pytest.raises(RetryLater, match="1 files could not be removed"):
        files.delete(["a", "b"])


def test_a_reader_of_a_folder_never_meets_half_a_file(tmp_path: Path) -> None:
    """What a write that was cut off left behind is no file of the export."""
    files = FolderFiles(tmp_path)
    (tmp_path / ".latest.json.half").write_bytes(b"{")

    assert list(files.names()) == []
    assert files.read("latest.json") is None


def test_a_file_is_changed_only_by_whoever_saw_it_last(files: FileStore) -> None:
    assert files.read_version("latest.json") is None
    assert files.write_if("latest.json", b"1", None)
    assert not files.write_if("latest.json", b"2", None)
    first = files.read_version("latest.json")
    assert first is not None
    assert files.write_if("latest.json", b"2", first.version)
    assert not files.write_if("latest.json", b"3", first.version)
    assert files.read("latest.json") == b"2"
    second = files.read_version("latest.json")
    assert second is not None
    files.delete(["latest.json"])
    assert not files.write_if("latest.json", b"4", second.version)
    assert list(files.names()) == []


# Not on moto, which looks and writes without a lock between.
@pytest.mark.parametrize("files", ["fake", "folder", pytest.param("ministack", marks=pytest.mark.slow)], indirect=True)
def test_of_writers_at_once_each_is_told_whether_it_was_first(files: FileStore) -> None:
    """Every change that was taken is there: eight writers add ten letters each."""

    def add(letter: str) -> int:
        lost = added = 0
        while added < 10:
            seen = files.read_version("letters")
            before = seen.data if seen else b""
            if files.write_if("letters", before + letter.encode(), seen.version if seen else None):
                added += 1
            else:
                lost += 1
        return lost

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, "abcdefgh"))

    assert Counter((files.read("letters") or b"").decode()) == dict.fromkeys("abcdefgh", 10)
