"""A model kept in a file store under its card's hash: put there once, fetched by functions that do not hold it."""

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
    """Put the model's card and the file it serves into the store, and return the name they have in common.

    The name is the sha256 of the card, which holds that of the file: what is fetched by it is what was meant, whoever
    else may write to the store. The card comes last, so that where there is one, there is a model.

    Raises:
        BadModel: there is no model in the folder.
    """
    card = ModelCard.load(folder / CARD_NAME)
    name = hashlib.sha256((folder / CARD_NAME).read_bytes()).hexdigest()
    for each in (card.file(card.served).name, CARD_NAME):
        files.write(f"{name}/{each}", folder / each)
    return name


def fetched(address: str, store: Callable[[BucketPrefix], FileStore], cache: Path) -> Path:
    """Return a folder of this machine that holds the model kept at ``s3://bucket/prefix/<sha256>``.

    A function that is started again on the same machine finds it there.

    Raises:
        BadModel: the address does not end with a hash, nothing is kept there, or something else than was meant.
    """
    matched = ADDRESS.fullmatch(address)
    if matched is None:
        raise BadModel(f"{address} does not end with a hash; `catalog-tagger model publish` says a model's address")
    folder = cache / matched["card_sha256"]
    if not (folder / CARD_NAME).is_file():
        _fetch(address, matched["card_sha256"], store(BucketPrefix.parse(address.rstrip("/") + "/")), folder)
    return folder


def _fetch(address: str, card_sha256: str, files: FileStore, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{CARD_NAME}.part"
    half.write_bytes(_verified(address, files, CARD_NAME, card_sha256))
    card = ModelCard.load(half)
    file = card.file(card.served)
    if file.name != (folder / file.name).name:
        raise BadModel(f"the card at {address} names a file outside its folder")
    (folder / file.name).write_bytes(_verified(address, files, file.name, file.sha256))
    half.rename(folder / CARD_NAME)


def _verified(address: str, files: FileStore, name: str, sha256: str) -> bytes:
    data = files.read(name)
    if data is None:
        raise BadModel(f"there is no {name} at {address}")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadModel(f"{name} at {address} is damaged, or was replaced: its sha256 is another one")
    return data
