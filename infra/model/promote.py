"""Makes an installed model the one that tags; the previous one stays installed for going back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.front_settings import MODELS_FOLDER
from pipeline.model_version import CARD_NAME
from tagging_lambda.model_card import ModelCard

if TYPE_CHECKING:
    from pathlib import Path

PREVIOUS = "previous"  # the name that the replaced model gets


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
