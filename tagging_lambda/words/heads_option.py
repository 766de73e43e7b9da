"""The option ``--head``, apart from the commands of heads, which load boto3."""

import click

heads_option = click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="NAME_OR_FOLDER",
    help="Use this head; may be given several times.  [default: all that are installed]",
)
