"""A click group that imports a command when it is used, so that help is fast and loads no command's libraries."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from pipeline.errors import CallerError

# The modules that only some commands need, each with the extra of pyproject.toml that brings it.
EXTRAS = {
    "onnx": "model",
    "sympy": "model",
    "sklearn": "learn",
    "scipy": "learn",
    "threadpoolctl": "learn",
    "ministack": "local",
    "samtranslator": "local",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed.

    ``targets`` maps a command's name to its definition (``module:name``) and its line in the list of commands.
    """

    def __init__(self, *arguments: Any, targets: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        """Make a group of these commands; every other setting is click's own."""
        super().__init__(*arguments, **settings)
        self.targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the table."""
        del ctx
        return list(self.targets)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, so that help imports none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.targets.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, imported on the first use."""
        del ctx
        if cmd_name not in self.targets:
            return None
        target, _ = self.targets[cmd_name]
        module, _, name = target.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            extra = EXTRAS[error.name]
            raise CallerError(
                f"`{cmd_name}` needs {error.name}, which is not installed: install catalog-tagger[{extra}], "
                "or catalog-tagger[all]"
            ) from error
        return command
