"""Installed models: a further one beside the one that tags, to compare, and the one that takes its place."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

from pipeline.errors import CallerError
from pipeline.front_settings import MODELS_FOLDER
from pipeline.model_version import CARD_NAME
from tagging_lambda.installed_models import DEFAULT
from tagging_lambda.model_card import ModelCard

PREVIOUS = "previous"  # the name that the replaced model gets
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")  # chosen by us: safe in an address, a folder's name and a list


def install(name: str, card_path: Path, home: Path, precision: str | None = None) -> ModelCard:
    """Install the card's model under that name, for comparison, and return its installed card.

    Raises:
        CallerError: the name is not valid for a model.
        BadModel: the card or its file is missing, or the file does not match the card.
    """
    check_name(name)
    card = ModelCard.load(card_path)
    file = card.file(precision or card.served)
    installed = replace(card, served=file.precision, files=(file,))
    folder = home / MODELS_FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(card_path.parent / file.name, folder / file.name)
    (folder / CARD_NAME).write_text(installed.to_json(), encoding="utf-8")
    return installed


def check_name(name: str) -> None:
    """Refuse an invalid name.

    Raises:
        CallerError: the name is not valid.
    """
    if not _NAME.fullmatch(name) or name == DEFAULT:
        raise CallerError(f"{name!r} is no name of a model: 1 to 32 of a-z 0-9 and -, and not {DEFAULT!r}")


def promote(name: str, home: Path, model_dir: Path) -> ModelCard:
    """Make the model of that name the one that tags, and return its card. The one before it becomes `previous`.

    Raises:
        CallerError: no model of that name is installed.
    """
    models = home / MODELS_FOLDER
    candidate = models / name
    if not (candidate / CARD_NAME).is_file():
        installed = ", ".join(sorted(card.parent.name for card in models.glob(f"*/{CARD_NAME}"))) or "none"
        raise CallerError(f"no model is called {name!r}; installed: {installed}")
    card = ModelCard.load(candidate / CARD_NAME)
    aside = models / f".{PREVIOUS}-in-the-making"
    # Only renames, ordered so that each model is whole in some folder whenever the process is killed.
    if model_dir.exists():
        model_dir.rename(aside)
    candidate.rename(model_dir)
    if aside.exists():
        previous = models / PREVIOUS
        if previous.exists():
            previous.rename(models / _free_name(models))
        aside.rename(previous)
    return card


def _free_name(models: Path) -> str:
    number = 2
    while (models / f"{PREVIOUS}-{number}").exists():
        number += 1
    return f"{PREVIOUS}-{number}"
