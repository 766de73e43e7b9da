"""A kept model is the one that its address means, or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadModel
from pipeline.memory.files import MemoryFiles
from tagging_lambda.model_store import fetch_model, keep
from tests.infra.local.scratch import tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.images import BucketPrefix


class Bucket:
    """A bucket whose models lie below ``models/``; ``opened`` notes each time that somebody looks into it."""

    def __init__(self) -> None:
        self.models = MemoryFiles()
        self.opened: list[BucketPrefix] = []

    def at(self, place: BucketPrefix) -> MemoryFiles:
        self.opened.append(place)
        inside = place.prefix.removeprefix("models/")
        found = {name.removeprefix(inside): data for name, data in self.models.files.items() if name.startswith(inside)}
        return MemoryFiles(found)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "model")


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def address(model: Path, bucket: Bucket) -> str:
    return f"s3://shop/models/{keep(model, bucket.models)}"


def test_what_was_kept_is_fetched(model: Path, bucket: Bucket, address: str, tmp_path: Path) -> None:
    folder = fetch_model(address, bucket.at, tmp_path / "cache")

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: (model / name).read_bytes() for name in ("card.json", "tiny.int8.onnx")
    }


def test_it_is_fetched_once(bucket: Bucket, address: str, tmp_path: Path) -> None:
    folders = {fetch_model(address, bucket.at, tmp_path / "cache") for _ in range(2)}

    assert len(folders) == len(bucket.opened) == 1


def test_another_model_is_kept_beside_it(model: Path, bucket: Bucket, address: str) -> None:
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | {"name": "another"}))

    assert keep(model, bucket.models) != address.rpartition("/")[2]
    assert len(bucket.models.files) == 4


@pytest.mark.parametrize("name", ["card.json", "tiny.int8.onnx"])
def test_what_was_replaced_is_refused_and_not_remembered(
    bucket: Bucket, address: str, tmp_path: Path, name: str
) -> None:
    inside = f"{address.rpartition('/')[2]}/{name}"
    honest = bucket.models.files[inside]
    bucket.models.files[inside] = honest + b" "
    with pytest.raises(BadModel, match="damaged, or was replaced"):
        fetch_model(address, bucket.at, tmp_path / "cache")
    bucket.models.files[inside] = honest

    assert fetch_model(address, bucket.at, tmp_path / "cache").joinpath(name).read_bytes() == honest


@pytest.mark.parametrize("name", ["card.json", "tiny.int8.onnx"])
def test_what_is_not_there_is_said(bucket: Bucket, address: str, tmp_path: Path, name: str) -> None:
    bucket.models.delete([f"{address.rpartition('/')[2]}/{name}"])

    with pytest.raises(BadModel, match=f"there is no {name} at {address}"):
        fetch_model(address, bucket.at, tmp_path / "cache")


@pytest.mark.parametrize("address", ["s3://shop/models", f"s3://shop/{'A' * 64}", "a" * 64, f"s3:///{'a' * 64}"])
def test_an_address_without_a_hash_is_refused(bucket: Bucket, tmp_path: Path, address: str) -> None:
    with pytest.raises(BadModel, match="does not end with a hash"):
        fetch_model(address, bucket.at, tmp_path)


def test_a_card_cannot_name_a_file_elsewhere(model: Path, bucket: Bucket, tmp_path: Path) -> None:
    card = json.loads((model / "card.json").read_text())
    card["files"][0]["name"] = "../tiny.int8.onnx"
    (model / "card.json").write_text(json.dumps(card))
    (tmp_path / "tiny.int8.onnx").write_bytes(b"no weights at all")
    address = f"s3://shop/models/{keep(model, bucket.models)}"

    with pytest.raises(BadModel, match="outside its folder"):
        fetch_model(address, bucket.at, tmp_path / "cache")
