"""Models in a file store under the hash of their card, for functions whose package does not contain one."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipeline.errors import BadModel
from pipeline.images import BucketPrefix
from pipeline.model_version import CARD_NAME
from tagging_lambda.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.ports import FileStore

ADDRESS = re.compile(r"s3://[^/]+/(?:.+/)?(?P<card_sha256>[0-9a-f]{64})/?")


def keep(folder: Path, files: FileStore) -> str:
    """Put the model's card and its served file into the store, and return their common name.

    The name is the sha256 of the card, which contains that of the file, so that a fetched model is the intended one
    even if others can write to the store. The card is written last, so that its presence means a complete model.

    Raises:
        BadModel: there is no model in the folder.
    """
    card = ModelCard.load(folder / CARD_NAME)
    name = hashlib.sha256((folder / CARD_NAME).read_bytes()).hexdigest()
    for file_name in (card.file(card.served).name, CARD_NAME):
        files.write(f"{name}/{file_name}", folder / file_name)
    return name


def fetch_model(address: str, store: Callable[[BucketPrefix], FileStore], cache: Path) -> Path:
    """Return a local folder with the model stored at ``s3://bucket/prefix/<sha256>``.

    A function that starts again on the same machine finds it there.

    Raises:
        BadModel: the address does not end with a hash, or what is stored there is missing or does not match it.
    """
    matched = ADDRESS.fullmatch(address)
    if matched is None:
        raise BadModel(f"{address} does not end with a hash; `catalog-tagger model publish` prints a model's address")
    folder = cache / matched["card_sha256"]
    if not (folder / CARD_NAME).is_file():
        _fetch(address, matched["card_sha256"], store(BucketPrefix.parse(address.rstrip("/") + "/")), folder)
    return folder


def _fetch(address: str, card_sha256: str, files: FileStore, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{CARD_NAME}.part"
    half.write_bytes(read_verified(address, files, CARD_NAME, card_sha256))
    card = ModelCard.load(half)
    file = card.file(card.served)
    if file.name != (folder / file.name).name:
        raise BadModel(f"the card at {address} names a file outside its folder")
    (folder / file.name).write_bytes(read_verified(address, files, file.name, file.sha256))
    half.rename(folder / CARD_NAME)


def read_verified(address: str, files: FileStore, name: str, sha256: str) -> bytes:
    """Return the file's bytes.

    Raises:
        BadModel: there is no such file, or its hash differs; the message names the ``address``.
    """
    data = files.read(name)
    if data is None:
        raise BadModel(f"there is no {name} at {address}")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadModel(f"{name} at {address} is damaged, or was replaced: its sha256 differs")
    return data
