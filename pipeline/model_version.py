"""The version of a model identifies its answers, and is stored in every record that it made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import BadModel

CARD_NAME = "card.json"  # of the file that describes a model, beside its weights
DEFAULT_FIT = "crop"
VERSION_LENGTH = 12  # hexadecimal digits; 48 bits tell any number of a shop's models apart


def version_of(weights_sha256: str, temperature: float = 1.0, fit: str = DEFAULT_FIT) -> str:
    """Return the first digits of the served file's SHA-256, with the fit of pictures and the temperature.

    The last two appear only if they are not the defaults, so that older versions keep their names.
    """
    parts = [weights_sha256[:VERSION_LENGTH]]
    parts += [fit] if fit != DEFAULT_FIT else []
    parts += [f"{temperature:g}"] if temperature != 1 else []
    return "-".join(parts)


def keywords_version(taxonomy_version: str, head_versions: Sequence[str]) -> str:
    """Return what identifies the way from a record to its keywords: the versions of the taxonomy and of the heads.

    Without heads it is the taxonomy's version, as before heads existed.
    """
    if not head_versions:
        return taxonomy_version
    parts = (taxonomy_version, *head_versions)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:VERSION_LENGTH]


def head_version_in(folder: Path) -> str:
    """Return the version of the head in the folder: a hash of its card.

    Raises:
        BadModel: there is no head.
    """
    path = folder / CARD_NAME
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_LENGTH]
    except OSError as error:
        raise BadModel(f"{path} cannot be read ({error.strerror})") from error


def class_names_in(folder: Path, version: str) -> dict[int, str]:
    """Return the names of the model's classes by index; empty if the model in the folder has another version.

    Raises:
        BadModel: the card cannot be understood.
    """
    if version_in(folder) != version:
        return {}
    card = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
    return {known["class_index"]: known["name"] for known in card["classes"]}


def version_in(folder: Path) -> str | None:
    """Return the version of the model in the folder, from its card alone; None if there is no model.

    Raises:
        BadModel: the card cannot be understood.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        served = next(file["sha256"] for file in card["files"] if file["precision"] == card["served"])
        fit = card.get("input", {}).get("fit", DEFAULT_FIT)
        return version_of(served, float(card.get("temperature", 1.0)), fit)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise BadModel(f"{path} is not a model card ({type(error).__name__}: {error})") from error
