"""Builds the default model at the first command that needs it."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

import click

from infra.cli import main as catalog_tagger
from pipeline.model_version import CARD_NAME
from pipeline.settings import model_dir

MODEL_VARIABLE = "MODEL_DIR"


def ensure_model() -> None:
    """Build the default model if there is none, and report progress on standard error.

    A folder named by ``MODEL_DIR`` is left alone: a missing model there is a mistake.

    Raises:
        click.exceptions.Exit: it could not be built; the reason is printed.
    """
    if os.environ.get(MODEL_VARIABLE) or (model_dir() / CARD_NAME).exists():
        return
    click.echo("The model is not here yet. It is fetched (95 MB) and built once, in a minute or two.", err=True)
    with redirect_stdout(sys.stderr):  # standard output is for the command's own result
        code = catalog_tagger(["model", "build"])
    if code:
        raise click.exceptions.Exit(code)
