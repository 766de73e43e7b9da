"""The one command, ``catalog-tagger``: mounts each stage's commands and says mistakes in one line."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import CallerError, CatalogTaggerError, DeployerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DONE, ATTENTION, MISTAKE = 0, 1, 2
MISTAKES = (click.ClickException, CallerError, DeployerError)
STDOUT = 1  # the number of the file that every process writes its output to
ENDING = (signal.SIGTERM, signal.SIGHUP)  # a supervisor's, and a terminal's that is closed
UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT})

# Each command: the module that holds it, imported when the command is used, and its line in the list of commands.
_COMMANDS = {
    "open": ("infra.open:open_page", "Open the page with the photos of a folder, without AWS."),
    "local": ("infra.local.cli:local", "Run the deployed template on this machine: up, status, down."),
    "doctor": ("infra.doctor:doctor", "Check the deployed stack and name the next step."),
    "tag": ("tagging_lambda.cli:tag", "Tag files and folders on this machine, without AWS."),
    "load": ("catalog_loader.cli:load", "Send a catalogue to be tagged."),
    "upload": ("catalog_loader.cli:upload", "Copy the photos of a folder into the images bucket."),
    "status": ("catalog_loader.cli:status", "Report queues, dead letters, outcomes, rate and cost."),
    "audit": ("infra.audit:audit", "Prove that no image was lost."),
    "redrive": ("catalog_loader.cli:redrive", "Send dead letters back to their queue."),
    "show": ("results_sink.show_cli:show", "Show the record of an image, of a product, or of rejected images."),
    "pin": ("tagging_lambda.curate.cli:pin", "Decide that a keyword fits an image or product."),
    "suppress": ("tagging_lambda.curate.cli:suppress", "Decide that a keyword does not fit."),
    "release": ("tagging_lambda.curate.cli:release", "Take a decision back."),
    "retag": ("tagging_lambda.curate.cli:retag", "Apply a new taxonomy or head to stored results, without inference."),
    "undo": ("tagging_lambda.curate.cli:undo", "Take back what a run wrote."),
    "restore": ("infra.restore:restore", "Bring records back from another table."),
    "export": ("results_sink.cli:export", "Write all records as Parquet, or for another engine."),
    "search": ("results_sink.search_cli:search", "Find images by keywords."),
    "check": ("infra.check:check", "Say which photos a marketplace refuses, why, and from when."),
    "duplicates": ("infra.duplicates:duplicates", "Group the same photo under several names."),
    "similar": ("infra.similar:similar", "Find the photos that look most like one."),
    "ratings": ("results_sink.cli:ratings", "Write people's ratings of keywords as Parquet."),
    "evaluate": ("tagging_lambda.evaluate.cli:evaluate", "Measure keywords on photos that you labelled."),
    "learn": ("tagging_lambda.words.cli:learn", "Learn your own words from labelled photos."),
    "verify": ("tagging_lambda.words.cli:verify", "Find the photos that contradict their own keywords."),
    "heads": ("tagging_lambda.words.cli:heads", "List, publish, remove and roll back heads."),
    "model": ("infra.model.cli:model", "Build, import, show, shadow and promote the model."),
    "openapi": ("infra.openapi:openapi", "Print the API's OpenAPI document."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed.

    ``places`` gives, by name, where each command is (``module:name``) and its line in the list of commands.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        """Make a group of the commands at these places; all else is click's own."""
        super().__init__(*arguments, **settings)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order in which they are used."""
        del ctx
        return list(self.places)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table above, so that help imports none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.places.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, imported now."""
        del ctx
        if cmd_name not in self.places:
            return None
        target, _ = self.places[cmd_name]
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="catalog-tagger")
def catalog_tagger() -> None:
    """Look at every product photo of a shop and write the keywords a shopper would type."""


def main(
    arguments: Sequence[str] | None = None, group: click.Group = catalog_tagger, name: str = "catalog-tagger"
) -> int:
    """Run the command line and return its exit code: 0 done, 1 something wants attention, 2 the caller's mistake."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before a command loads onnxruntime to build a model
    try:
        with _ended_as_stopped():
            result = group.main(arguments, prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return _failed("stopped", ATTENTION)
    except (click.ClickException, CatalogTaggerError) as error:
        told = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _failed(told, MISTAKE if isinstance(error, MISTAKES) else ATTENTION)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        return _unwritable(error)
    return result if isinstance(result, int) else DONE


@contextmanager
def _ended_as_stopped() -> Iterator[None]:
    """Let a process that is ended from outside stop as by Ctrl-C: what has a last word, where to resume, says it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are another's
        return
    before = {each: signal.signal(each, _stop) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _stop(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _unwritable(error: OSError) -> int:
    if error.filename is None:  # the output itself: what is left of it must not fail once more at the very end
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return _failed(f"{error.filename or 'the output'} cannot be written: {error.strerror}", MISTAKE)


def _failed(message: str, code: int) -> int:
    click.echo("catalog-tagger: " + " ".join(message.split()), err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
