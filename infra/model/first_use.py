"""The default model at the first use of a command that needs it."""

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
    """Build the default model if there is none, and say what happens meanwhile on standard error.

    A folder that ``MODEL_DIR`` names is left alone: a model is expected there, and its absence is a mistake.

    Raises:
        click.exceptions.Exit: it could not be built; the reason is printed.
    """
    if os.environ.get(MODEL_VARIABLE) or (model_dir() / CARD_NAME).exists():
        return
    click.echo("The model is not here yet. It is fetched (95 MB) and built once, in a minute or two.", err=True)
    with redirect_stdout(sys.stderr):  # what a command prints for a program must stay alone
        code = catalog_tagger(["model", "build"])
    if code:
        raise click.exceptions.Exit(code)
