"""`catalog-tagger open`: the page on this machine, with the photos of a folder or with the sample catalogue."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from infra.cli import main as catalog_tagger
from infra.export_page import HOST, ExportPage, make_server
from infra.local.place import default_place
from infra.local.run import status
from infra.model.first_use import ensure_model
from infra.model.installed import install
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.errors import CallerError, CatalogTaggerError, RetryLater
from pipeline.front_settings import MODELS_FOLDER
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.not_pictures import skip_reason
from pipeline.ports import RecordTable
from pipeline.progress import Progress
from pipeline.settings import home, model_dir
from pipeline.stack import TARGET_VARIABLE, Stack
from results_sink.connect import export_place
from results_sink.export.manifest import LATEST_NAME

COMPARED = "float32"  # the same model before it was quantized: what people compare with first
PATIENCE_S = 60.0  # chosen by us: longer than a cold start and a batch; after it, `open` says what is left
POLL_S = 0.25
READ_IMAGES = 100  # records a read: the most keys Amazon DynamoDB permits in one BatchGetItem


@click.command(name="open")
@click.argument("folder", required=False, metavar="[FOLDER]")
@click.option(
    "--from",
    "export",
    metavar="EXPORT",
    help="Show what this export holds, such as the folder of `tag -o`: to search and look, without a stack.",
)
@click.option("--no-browser", is_flag=True, help="Print the address of the page, and open no browser.")
def open_page(folder: str | None, *, export: str | None, no_browser: bool) -> None:
    """Open the page with the photos of a folder, or with a sample catalogue.

    Needs no AWS and no account: the deployed template runs on this machine, and the photos are copied into it. The
    folder is only read. The page opens at once, and photos appear as they are tagged. Run it again to continue: only
    new and changed photos are tagged. What you decide on the page is kept in .catalog-tagger.

    `catalog-tagger local down` stops it. With --from, Ctrl-C does.
    """
    if folder and export:
        raise click.UsageError("name a folder of photos, or --from EXPORT, not both")
    if export:
        show_export(export, browser=not no_browser)
    else:
        run(folder, browser=not no_browser)


def show_export(export: str, *, browser: bool = True) -> None:
    """Serve the page over an export on this machine, until Ctrl-C.

    Raises:
        NoExport: nothing was exported there.
    """
    page = ExportPage(export_place(export, os.environ), Vocabulary.load(), lambda line: click.echo(line, err=True))
    with make_server(page) as server:
        address = f"http://{HOST}:{server.server_port}/"
        click.secho(f"The page: {address}", bold=True)
        click.echo("Ctrl-C stops it.")
        sys.stdout.flush()
        if browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def run(folder: str | None = None, *, browser: bool = True) -> str:
    """Bring the page up with the photos on it, open it in a browser, and return its address.

    Raises:
        CatalogTaggerError: a step failed; the message says which and why.
    """
    if folder is not None and not Path(folder).is_dir():
        raise CallerError(f"there is no folder {folder}")
    os.environ[TARGET_VARIABLE] = "local"
    with _photos(folder) as photos:
        ensure_model()
        _step("The model", "model", "build", "--json")
        if not (home() / MODELS_FOLDER / COMPARED).exists():
            install(COMPARED, model_dir() / CARD_NAME, home(), COMPARED)
        _step("The local stack", "local", "up")
        stack_status = status(default_place())
        page_url = stack_status.api.page_url if stack_status.api else None
        if stack_status.stack is None or page_url is None:
            raise RetryLater("the local stack does not say where its page is")
        # Search reads a snapshot and the changes since. With an empty one first, photos are found as they are tagged.
        if export_place(None, os.environ).files.read(LATEST_NAME) is None:
            _step("The search", "export")
        click.secho(f"The page: {page_url}", bold=True)
        if browser:
            webbrowser.open(page_url)
        _upload_and_wait(photos, _prefix(folder), stack_status.stack)
    click.echo("`catalog-tagger local down` stops it. What it holds is kept for the next `catalog-tagger open`.")
    return page_url


@contextmanager
def _photos(folder: str | None) -> Iterator[Path]:
    """Yield the folder of the photos: the one given, or one with the sample catalogue under its products' names."""
    if folder is not None:
        yield Path(folder)
        return
    catalogue = sample_catalogue(home(), Npm(), lambda line: click.echo(line, err=True))
    with TemporaryDirectory(prefix="sample-catalogue-") as root:
        for photo in catalogue.photos:
            (Path(root) / f"{photo.product}.jpg").symlink_to(photo.path.resolve())
        yield Path(root)


def _prefix(folder: str | None) -> str:
    return "" if folder is None else f"{Path(folder).resolve().name}/"


def _step(name: str, *words: str) -> None:
    """Run a command of ours, and print one line for it. What it prints itself is not shown, except errors."""
    began_s = time.monotonic()
    click.echo(f"{name} ... ", nl=False)
    sys.stdout.flush()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        code = catalog_tagger(list(words))
    if code:
        raise CatalogTaggerError(f"`catalog-tagger {' '.join(words)}` ended with code {code}")
    click.echo(f"ready ({time.monotonic() - began_s:.1f} s)")


def _upload_and_wait(photos: Path, prefix: str, stack: Stack) -> None:
    names = [
        path.relative_to(photos).as_posix()
        for path in sorted(photos.rglob("*"))
        if path.is_file() and skip_reason(path.relative_to(photos).as_posix()) is None
    ]
    if not names:
        raise CallerError(f"there are no photos in {photos}")
    code = catalog_tagger(["upload", str(photos), "--prefix", prefix])
    if code:
        raise CatalogTaggerError(f"the upload ended with code {code}")
    images = [ImageRef(stack.images_bucket, f"{prefix}{name}") for name in names]
    _wait_for(images, DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name))


def _wait_for(images: list[ImageRef], table: RecordTable) -> None:
    """Return when every image has a record, or say how many have none if nothing moves."""
    left, moved_s = images, time.monotonic()
    with Progress("tagging", total=len(images), unit="photos") as progress:
        while left:
            recorded = table.get_many(left[:READ_IMAGES])  # they are tagged roughly in this order
            if recorded:
                left = [image for image in left if image not in recorded]
                moved_s = time.monotonic()
                progress.step(len(recorded))
            elif time.monotonic() - moved_s > PATIENCE_S:
                raise RetryLater(f"{len(left):,} photos are not tagged yet; `catalog-tagger status` shows why")
            time.sleep(POLL_S)
