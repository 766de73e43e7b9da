"""`catalog-tagger similar`: the photos of a folder or an export that look most like one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from infra.photos import KnownPhoto, is_export, known_photo_of, known_photos
from pipeline.errors import CallerError
from pipeline.images import SCHEME
from pipeline.keywords import Vocabulary
from pipeline.progress import Progress
from pipeline.terminal import printable, warn
from pipeline.vectors import FeatureVector
from results_sink.connect import export_place
from results_sink.search.nearest import VectorIndex
from results_sink.search.newest import ExportReader
from results_sink.search.search import SimilarRequest
from results_sink.search.shared_words import HeadWords

COUNT = 12


@dataclass(frozen=True, slots=True)
class SimilarPhoto:
    """A photo and how much it is like the one that was given, in [-1, 1], as ``VectorIndex`` has it."""

    name: str
    score: float


@click.command()
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--in", "place", required=True, metavar="FOLDER|EXPORT", help="Where to look: photos, or an export.")
@click.option("--count", type=click.IntRange(1, 1000), default=COUNT, show_default=True, help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, and nothing else.")
def similar(image: Path, place: str, count: int, *, as_json: bool) -> int:
    """Find the photos that look most like one, most alike first.

    In a folder photos are read once and kept; of an export only the vectors are read. A folder that holds latest.json,
    and s3://BUCKET/PREFIX, are exports.
    """
    vocabulary = Vocabulary.load()
    photo = known_photo_of(image, vocabulary)
    if photo.refused:
        raise CallerError(f"{image} cannot be read: {photo.refused}")
    if photo.vector is None:
        raise CallerError(
            "the model has no projection, so its photos have no vectors; run `catalog-tagger model build`"
        )
    if place.startswith(SCHEME) or is_export(Path(place)):
        matches = similar_in_export(photo.vector, place, count, vocabulary)
    else:
        with Progress("similar", quiet=as_json) as progress:
            matches = similar_among(photo.vector, progress.over(known_photos(place, vocabulary)), count)
    if as_json:
        results = [{"image": match.name, "score": round(match.score, 4)} for match in matches]
        click.echo(json.dumps({"image": str(image), "results": results}))
    else:
        _print_matches(matches)
    return 0


def _print_matches(matches: Sequence[SimilarPhoto]) -> None:
    for match in matches:
        click.echo(f"{match.score:.3f}  {printable(match.name)}")
    if not matches:
        click.echo("no photo here has a vector of this model; load or export them again")


def similar_among(query: FeatureVector, photos: Iterable[KnownPhoto], count: int) -> list[SimilarPhoto]:
    """Return the photos nearest to the query, of those with a vector of its space."""
    names: list[str] = []
    rows: list[bytes] = []
    for photo in photos:
        if photo.vector and photo.vector.space == query.space:
            names.append(photo.name)
            rows.append(photo.vector.data)
    if not names:
        return []
    return _nearest(query, names, np.frombuffer(b"".join(rows), np.int8).reshape(len(rows), -1), count)


def similar_in_export(query: FeatureVector, place: str, count: int, vocabulary: Vocabulary) -> list[SimilarPhoto]:
    """Return the images of an export, with the changes since, that are nearest to the query."""
    export = export_place(place, os.environ)
    reader = ExportReader(export.files, export.copies, export.name, vocabulary, time.monotonic, warn)
    hits = reader.searcher().similar(SimilarRequest(query.space, query.to_array(), count))
    return [SimilarPhoto(hit.image, hit.score) for hit in hits]


def _nearest(query: FeatureVector, names: Sequence[str], vectors: np.ndarray, count: int) -> list[SimilarPhoto]:
    neighbours = VectorIndex.of(vectors, HeadWords.load(query.space)).nearest(query.to_array(), count)
    return [
        SimilarPhoto(names[row], score)
        for row, score in zip(neighbours.rows.tolist(), neighbours.scores.tolist(), strict=True)
    ]
