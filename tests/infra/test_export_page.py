"""`open --from`: the page and the API over a folder of `tag -o`, over real HTTP and without a stack."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from infra.cli import main
from infra.export_page import ExportPage
from pipeline.folder import FolderFiles
from results_sink.connect import export_place
from tests.builders import jpeg
from tests.infra.served_export import local, serving
from tests.results_sink.small_shop import NOW, exported, small_vocabulary, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my photos" / "böot #1.jpg"
    path.parent.mkdir()
    path.write_bytes(jpeg("red"))
    return path


@pytest.fixture
def address(tmp_path: Path, photo: Path) -> Iterator[str]:
    """The address of a page over two photos, one of which is gone from the disk."""
    folder = tmp_path / "tagged"
    folder.mkdir()
    records = [local(tagged("boot.jpg", boot=0.9, footwear=0.95), photo)]
    records += [local(tagged("sneaker.jpg", sneaker=0.8), photo.parent / "gone.jpg")]
    exported(FolderFiles(folder), tmp_path / "work", records)
    with serving(folder) as address:
        yield address


def fetch(address: str, body: object = None, **headers: str) -> tuple[int, bytes, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_the_page_comes_with_its_own_policy(address: str) -> None:
    status, page, headers = fetch(f"{address}/")

    assert (status, b"main.js" in page) == (200, True)
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_is_told_that_nothing_can_be_changed(address: str) -> None:
    assert json.loads(fetch(f"{address}/page/settings.json")[1])["read_only"]


def test_a_search_finds_local_photos_and_the_page_shows_them(address: str, photo: Path) -> None:
    [result] = json.loads(fetch(f"{address}/v1/search?q=boot")[1])["results"]
    name = f"file://{photo}"
    assert result["image"] == name

    # As the page asks: it takes what stands before the first slash for a bucket.
    addresses = json.loads(fetch(f"{address}/v1/photos", {"images": [name, f"s3://{name}"]})[1])["photos"]
    status, data, headers = fetch(address + addresses[f"s3://{name}"])
    assert (status, data, headers["content-type"]) == (200, photo.read_bytes(), "image/jpeg")
    bucket, *key = name.split("/")
    path = f"{quote(bucket, safe='')}/{'/'.join(quote(part, safe='') for part in key)}"
    assert json.loads(fetch(f"{address}/v1/images/{path}")[1])["image"] == name
    assert fetch(f"{address}/v1/thumbnails/320/{path}")[1] == photo.read_bytes()
    assert json.loads(fetch(f"{address}/v1/products/boot")[1])["product"] == "boot"


def test_no_file_but_photos_of_the_export_is_given_out(address: str, photo: Path) -> None:
    secret = photo.with_name("secret.txt")
    secret.write_text("secret")

    for path in (secret, photo.parent / "gone.jpg", f"{photo.parent}/../my photos/secret.txt"):
        assert fetch(f"{address}/photo{quote(str(path))}")[0] == 404
        assert fetch(f"{address}/v1/thumbnails/320/file%3A//{quote(str(path))}")[0] == 404
    names = [f"file://{secret}", f"file://{photo.parent / 'gone.jpg'}"]
    assert json.loads(fetch(f"{address}/v1/photos", {"images": names})[1])["photos"] == {}


def test_another_websites_name_for_this_machine_reads_nothing(address: str) -> None:
    assert fetch(f"{address}/v1/search?q=boot", Host="evil.example:80")[0] == 403


@pytest.mark.parametrize("path", ["decisions", "status", "models", "uploads", "ratings", "classify"])
def test_what_only_a_stack_can_do_says_so(address: str, path: str) -> None:
    status, body, headers = fetch(f"{address}/v1/{path}", {} if path == "decisions" else None)

    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert "`catalog-tagger open FOLDER` does the rest" in json.loads(body)["detail"]


def test_bad_requests_end_in_an_answer(address: str) -> None:
    assert fetch(f"{address}/v1/photos", ["no names"])[0] == 400
    assert fetch(f"{address}/v1/search?q=%28")[0] == 400
    assert fetch(f"{address}/v1/nothing")[0] == 404


def test_a_newer_export_is_shown_without_starting_again(tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "tagged"
    folder.mkdir()
    exported(FolderFiles(folder), tmp_path / "work", [local(tagged("boot.jpg", boot=0.9), photo)])
    seconds = count(0, 10)
    page = ExportPage(export_place(str(folder), {}), small_vocabulary(), pytest.fail, lambda: float(next(seconds)))

    other = photo.with_name("other.jpg")
    other.write_bytes(jpeg("blue"))
    records = [local(tagged("other.jpg", chair=0.9), other)]
    exported(FolderFiles(folder), tmp_path / "work", records, at=NOW + timedelta(hours=1))
    page._refresh()

    assert page.photo(str(other)) == other
    assert page.photo(str(photo)) is None


def test_a_folder_without_an_export_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "--from", str(tmp_path)]) != 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["open", str(tmp_path), "--from", str(tmp_path)]) == 2


def test_the_command_serves_until_it_is_stopped(tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "tagged"
    folder.mkdir()
    exported(FolderFiles(folder), tmp_path / "work", [local(tagged("boot.jpg", boot=0.9), photo)])
    words = [sys.executable, "-m", "infra.cli", "open", "--from", "tagged", "--no-browser"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert address
        assert fetch(f"{address[0]}v1/healthz")[0] == 200
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 0
