"""The command groups `local`, `model`, `heads` and `vocabulary`; each of their commands is imported when it is used."""

from __future__ import annotations

import click

from infra.lazy_group import LazyGroup

_LOCAL_COMMANDS = {
    "up": ("infra.local.cli:up", "Start the local stack, or bring it up to date."),
    "status": ("infra.local.cli:status", "Report its state, its address and its queues."),
    "down": ("infra.local.cli:down", "Stop the local stack."),
}
_MODEL_COMMANDS = {
    "build": ("infra.model.make_cli:build", "Fetch ResNet-50, convert it to ONNX, and quantize it."),
    "show": ("infra.model.cli:show", "Print the model card."),
    "install": ("infra.model.cli:install", "Install a further model, to compare on the page."),
    "import": ("infra.model.make_cli:import_command", "Make any ONNX classifier the model that tags."),
    "shadow": ("infra.model.cli:shadow", "Report what a new model, head or taxonomy would change."),
    "promote": ("infra.model.cli:promote_command", "Make an installed model the one that tags."),
    "publish": ("infra.model.cli:publish", "Put the model into a bucket, for functions that fetch it."),
}
_HEADS_COMMANDS = {
    "list": ("tagging_lambda.words.heads_cli:list_heads", "List the heads of this machine."),
    "publish": ("tagging_lambda.words.heads_cli:publish", "Put heads into a bucket, and print the address to deploy."),
    "remove": ("tagging_lambda.words.heads_cli:remove", "Remove a head from this machine."),
    "rollback": ("tagging_lambda.words.heads_cli:rollback", "Bring back the head that NAME replaced last."),
}
_VOCABULARY_COMMANDS = {
    "import": ("infra.taxonomy.vocabulary_cli:import_command", "Read a published taxonomy, and keep ids by name."),
}


@click.group(cls=LazyGroup, targets=_LOCAL_COMMANDS)
def local() -> None:
    """Run the stack that AWS runs on this machine, reachable only from here."""


@click.group(cls=LazyGroup, targets=_MODEL_COMMANDS)
def model() -> None:
    """Build, import and compare models, and choose the one that tags."""


@click.group(cls=LazyGroup, targets=_HEADS_COMMANDS)
def heads() -> None:
    """List, publish, remove and roll back the heads that add words of your own."""


@click.group(cls=LazyGroup, targets=_VOCABULARY_COMMANDS)
def vocabulary() -> None:
    """Hold the keywords against product taxonomies that others publish."""
