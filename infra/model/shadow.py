"""Wires `model shadow`: finds the candidate and the photos, runs both, and prints what would change."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.errors import CallerError, ImageRejected
from pipeline.front_settings import MODELS_FOLDER
from pipeline.images import MAX_IMAGE_BYTES, FetchedImage
from pipeline.keywords import TAXONOMY_PATH, Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.records import TaggedImage
from pipeline.settings import home, model_dir
from pipeline.stack import find_stack
from tagging_lambda.evaluate.shadow import Shadow, compare, shadow_document, shadow_sections, shadow_text
from tagging_lambda.image.contact_sheet import write_contact_sheet
from tagging_lambda.tag_files import FileTagger, files_below
from tagging_lambda.words.head_store import InstalledHeads


def run_shadow(name: str, paths: Sequence[Path], sample: int, sheet: Path | None, *, as_json: bool) -> None:
    """Print what would change if the candidate tagged.

    Raises:
        CallerError: there is no such candidate, or no photo.
    """
    vocabulary = Vocabulary.load()
    heads = InstalledHeads.of_this_machine()
    present = FileTagger.load(model_dir(), vocabulary, 1, heads=heads.load())
    then = candidate(name, present, heads)
    with tempfile.TemporaryDirectory() as scratch:
        photos = list(islice(files_below(paths) if paths else _tagged_photos(Path(scratch)), sample))
        if not photos:
            raise CallerError("there is no photo to compare on; name files or folders")
        with Progress("shadow", total=len(photos), unit="photos", quiet=as_json) as progress:
            shadow = Shadow(name, tuple(progress.over(compare(photos, present, then))))
        if sheet is not None:
            opening = f"<h1>{shadow_text(shadow, then.vocabulary).splitlines()[0]}</h1>\n"
            sections = shadow_sections(shadow, then.vocabulary)
            write_contact_sheet(sheet, "shadow", (opening, sections), then.make_reader())
    document = shadow_document(shadow, then.vocabulary)
    click.echo(json.dumps(document) if as_json else shadow_text(shadow, then.vocabulary))


def candidate(name: str, present: FileTagger, heads: InstalledHeads) -> FileTagger:
    """Return the candidate's tagger: another model, or the same one with another head or taxonomy.

    Raises:
        CallerError: there is no candidate of that name.
    """
    folder = home() / MODELS_FOLDER / name
    if (folder / CARD_NAME).is_file():
        return FileTagger.load(folder, present.vocabulary, 1, heads=present.heads)
    overlay = Path(name)
    if overlay.suffix == ".csv" and overlay.is_file():
        return FileTagger.load(model_dir(), Vocabulary.load(TAXONOMY_PATH, overlay), 1, heads=present.heads)
    try:
        head = heads.load([name])[0]
    except CallerError as error:
        raise CallerError(f"{name!r} is neither an installed model or head, nor an overlay file. {error}") from error
    others = tuple(other for other in present.heads if other.card.name != head.card.name)
    return replace(present, mapper=replace(present.mapper, heads=(head, *others)))


def _tagged_photos(scratch: Path) -> Iterator[Path]:
    """Yield files of photos that the deployed stack has tagged, each fetched on demand."""
    stack = find_stack()
    images = S3Images(client("s3", stack.endpoint_url))
    for record in DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name).scan():
        if isinstance(record, TaggedImage):
            path = scratch / record.observation.image.key.replace("/", "_")[-200:]
            try:
                fetched = images.fetch(record.observation.image, None, MAX_IMAGE_BYTES)
            except ImageRejected:
                continue  # it was replaced by an unreadable file after tagging
            if isinstance(fetched, FetchedImage):
                path.write_bytes(fetched.data)
                yield path
