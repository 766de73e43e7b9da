"""The one command, ``catalog-tagger``: mounts each stage's commands and reports errors in one line."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from infra.lazy_group import LazyGroup
from pipeline.errors import CallerError, CatalogTaggerError, DeployerError
from pipeline.exit_codes import ATTENTION, DONE

MISTAKE = 2  # the exit code of a mistake of the caller
MISTAKES = (click.ClickException, CallerError, DeployerError)
STDOUT = 1  # the file descriptor of the standard output
ENDING = (signal.SIGTERM, signal.SIGHUP)  # from a supervisor, and from a closed terminal
UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT})

# Each command: the module that holds it, imported when the command is used, and its line in the list of commands.
_COMMANDS = {
    "open": ("infra.open:open_page", "Open the page with the photos of a folder, without AWS."),
    "local": ("infra.command_groups:local", "Run the deployed template on this machine: up, status, down."),
    "doctor": ("infra.doctor:doctor", "Check the deployed stack and name the next step."),
    "tag": ("infra.tag:tag", "Tag files and folders on this machine, without AWS."),
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
    "restore": ("infra.restore:restore", "Bring records back from another table or an export."),
    "export": ("results_sink.cli:export", "Write all records as Parquet, or for another engine."),
    "search": ("results_sink.search_cli:search", "Find images by keywords."),
    "check": ("infra.check:check", "Say which photos a marketplace refuses, why, and from when."),
    "duplicates": ("infra.duplicates:duplicates", "Group the same photo under several names."),
    "similar": ("infra.similar:similar", "Find the photos that look most like one."),
    "report": ("infra.report:report", "Write one HTML file about a catalogue, with thumbnails."),
    "ratings": ("results_sink.cli:ratings", "Write people's ratings of keywords as Parquet."),
    "evaluate": ("tagging_lambda.evaluate.cli:evaluate", "Measure keywords on photos that you labelled."),
    "learn": ("infra.words_from_export:learn", "Learn your own words from labelled photos."),
    "verify": ("infra.words_from_export:verify", "Find the photos that contradict their own keywords."),
    "heads": ("infra.command_groups:heads", "List, publish, remove and roll back heads."),
    "model": ("infra.command_groups:model", "Build, import, show, shadow and promote the model."),
    "taxonomy": ("infra.taxonomy.taxonomy_cli:taxonomy", "Print the keywords with their ids."),
    "vocabulary": ("infra.command_groups:vocabulary", "Give keywords their ids in Google's and Shopify's taxonomies."),
    "openapi": ("infra.openapi:openapi", "Print the API's OpenAPI document."),
}


@click.group(
    cls=LazyGroup,
    targets=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="catalog-tagger")
def catalog_tagger() -> None:
    """Read every product photo of a shop and write the keywords a shopper would type."""


def main(
    arguments: Sequence[str] | None = None, group: click.Group = catalog_tagger, name: str = "catalog-tagger"
) -> int:
    """Run the command line and return its exit code: 0 done, 1 something wants attention, 2 the caller's mistake."""
    # onnxruntime and numpy read them when they load: no report to its maker, no thread that spins (DECISIONS.md, 155).
    for variable in ("ORT_DISABLE_TELEMETRY", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    try:
        with _ended_as_stopped():
            result = group.main(arguments, prog_name=name, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.message)
        return DONE
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return _failed("stopped", ATTENTION)
    except (click.ClickException, CatalogTaggerError) as error:
        return _reported(error)
    except OSError as error:
        return _unwritable(error)
    return result if isinstance(result, int) else DONE


@contextmanager
def _ended_as_stopped() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that a command can still print where to resume."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread set signal handlers
        return
    before = {number: signal.signal(number, _stop) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _reported(error: click.ClickException | CatalogTaggerError) -> int:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return _failed(message, MISTAKE if isinstance(error, MISTAKES) else ATTENTION)


def _unwritable(error: OSError) -> int:
    if error.errno not in UNWRITABLE:
        raise error
    if error.filename is None:  # the output itself: flushing the rest at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return _failed(f"{error.filename or 'the output'} cannot be written: {error.strerror}", MISTAKE)


def _failed(message: str, code: int) -> int:
    click.echo("catalog-tagger: " + " ".join(message.split()), err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
