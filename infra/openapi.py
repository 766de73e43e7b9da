"""The command that prints the API's one OpenAPI document: the routes of all stages, which do not import each other."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import click

from catalog_loader import upload_route
from pipeline.clock import utc_now
from pipeline.folder import FolderFiles
from pipeline.http.document import DOCUMENT, make_document
from pipeline.http.resolver import Resolver
from pipeline.keywords import Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.table import MemoryTable
from pipeline.memory.watchers import MemoryWatchers
from results_sink.http import api, photos, ratings, status
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import InPlace
from tagging_lambda import classify_route, same_photos, thumbnails
from tagging_lambda.classify_route import LoadedModel
from tagging_lambda.curate import decide_route
from tagging_lambda.curate.rewrite import Rewriter
from tagging_lambda.link import LinkFetcher
from tagging_lambda.recorded_photos import RecordedPhotos


def whole_app(vocabulary: Vocabulary) -> Resolver:
    """Return a resolver with every route of every function, over an empty catalogue in memory."""
    app, table = Resolver(click.echo), MemoryTable()
    files = FolderFiles(Path("no-export"))
    newest = ExportReader(files, InPlace(files), "the export", vocabulary, time.monotonic)
    api.add_routes(app, api.Api(table, newest, vocabulary))
    photos.add_routes(app, photos.CataloguePhotos(MemoryAddresses(), table, ()))
    source = classify_route.PhotoSource(LinkFetcher(), MemoryImages(), ())
    models = classify_route.Models(("default",), _no_model)
    classify_route.add_routes(app, classify_route.PhotoClassifier(models, source, vocabulary))
    recorded = RecordedPhotos(table, MemoryImages(), ())
    thumbnails.add_routes(app, thumbnails.Thumbnails(recorded, files, _make_nothing))
    same_photos.add_routes(app, same_photos.PhotoComparison(recorded, _make_nothing))
    upload_route.add_routes(
        app,
        upload_route.Uploads(
            "images", MemoryAddresses(), MemoryImages(), MemoryWatchers(), utc_now, secrets.token_hex, minutes=10
        ),
    )
    rewriter = Rewriter(table, ThreadPoolExecutor(1))
    decide_route.add_routes(app, decide_route.DecisionWriter(rewriter, vocabulary, utc_now))
    ratings.add_routes(app, ratings.KeywordRatingStore(MemoryRatings(), table, vocabulary, (), utc_now))
    status.add_routes(app, status.TaggingStatus(table, (), utc_now))
    return app


def whole_document() -> dict[str, Any]:
    """Return the document of every route, with the languages of the vocabulary on this machine."""
    vocabulary = Vocabulary.load()
    return make_document(whole_app(vocabulary), vocabulary.languages)


def _no_model(name: str) -> LoadedModel:
    raise NotImplementedError(f"the document needs no model {name}")


def _make_nothing(*photo: object) -> NoReturn:
    raise NotImplementedError("the document needs no pixels")


@click.command()
@click.option("--write", is_flag=True, help=f"Instead write {DOCUMENT.name}, which the API serves.")
def openapi(write: bool) -> None:
    """Print the API's OpenAPI document: every route, its parameters, answers and problems."""
    text = json.dumps(whole_document(), indent=1, ensure_ascii=False)
    if write:
        DOCUMENT.write_text(text + "\n", encoding="utf-8")
        click.echo(f"{DOCUMENT} is written")
    else:
        click.echo(text)
