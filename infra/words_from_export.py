"""`learn` and `verify`, given what reads an export: their stage does not see the one that writes exports."""

from __future__ import annotations

import click

from infra.photos import records_of_export
from tagging_lambda.words import cli


# Only where the caller names one: an export that happens to lie there may be older than the photos (DECISIONS.md, 149).
def _given_exports(command: click.Command) -> click.Command:
    command.context_settings["obj"] = records_of_export
    return command


learn = _given_exports(cli.learn)
verify = _given_exports(cli.verify)
