"""Measures whether the photos most alike show the same garment: `python -m tests.quality.alike DATA`.

Photos of half of the contributors teach a projection and a head, as the starter's are taught; each garment of the other
half is compared with all others of that half. Then the halves change places. So nothing knows a photo that it is judged
by, and the figures are of half as many examples as the head that ships has seen.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np

from infra.heads.train_starter import STRENGTH, FeatureReader, Gallery, View, fit_projection, photos_of
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import home, model_dir
from results_sink.search.nearest import VectorIndex
from results_sink.search.shared_words import HeadWords
from tagging_lambda.classify import Classifier
from tagging_lambda.words.projection import Projection, network_of
from tagging_lambda.words.train import Background, Examples, Problem, folds_of

SETS = ("clothing", "goods", "grocery", "imagenet")
NEAREST = 5


def ten_garments(data: Path) -> dict[Path, str]:
    """Return the garment of each photo of the splits with ten garments."""
    with (data / "clothing" / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "more"]
    return {data / "clothing" / row["file"]: row["keyword"] for row in rows}


def precision(index: VectorIndex, labels: np.ndarray, groups: np.ndarray, *, by_others: bool) -> float:
    """Return how many of the five photos most like each one, of other contributors alone or of all, show the same."""
    shares = []
    for row, label in enumerate(labels):
        nearest = index.nearest(index.vectors.rows[row].astype(np.float32), len(labels)).rows
        passed = (groups[nearest] != groups[row]) if by_others else (nearest != row)
        shares.append((labels[nearest[passed][:NEAREST]] == label).mean())
    return float(np.mean(shares))


def taught(gallery: Gallery, learned: np.ndarray, network: str) -> tuple[Projection, HeadWords]:
    """Return a projection and a head as these rows of the gallery teach them."""
    projection = fit_projection(network, gallery, learned)
    examples = gallery.examples(projection).rows(learned)
    problem = Problem.of(examples, Vocabulary.load(), Background.none(), STRENGTH)
    linear = problem.fit(np.arange(len(problem.examples)))
    return projection, HeadWords(linear.coefficients, linear.bias)


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(data: Path) -> None:
    """Print the precision of the five most alike, with the words of a head and without."""
    vocabulary, classifier = Vocabulary.load(), Classifier.load(model_dir() / CARD_NAME)
    reader, network = FeatureReader(classifier, home() / "starter-features"), network_of(classifier.card)
    photos = [photo for name in SETS for photo in photos_of(data, name, vocabulary)]
    features = np.concatenate([reader.features(photos_of(data, name, vocabulary), View.AS_SEEN)[0] for name in SETS])
    labels = tuple(frozenset({photo.keyword_id} - {""}) for photo in photos)
    groups = np.array([photo.group for photo in photos])
    gallery = Gallery(features, labels, tuple(groups.tolist()), len(photos))
    garments = ten_garments(data)
    garment = np.array([garments.get(photo.path, "") for photo in photos])
    is_first_half = folds_of(Examples(features, labels, gallery.groups), seed=0) % 2 == 0
    for is_learned in (is_first_half, ~is_first_half):
        projection, head = taught(gallery, np.flatnonzero(is_learned), network)
        judged = np.flatnonzero(~is_learned & (garment != ""))
        vectors = np.stack([np.frombuffer(projection.vector(row).data, np.int8) for row in features[judged]])
        for kind, index in (("looks", VectorIndex.of(vectors)), ("looks and words", VectorIndex.of(vectors, head))):
            of_all, of_others = (
                precision(index, garment[judged], groups[judged], by_others=others) for others in (False, True)
            )
            click.echo(f"{kind:<16} {len(judged)} photos: {of_all:.3f}, of other contributors alone {of_others:.3f}")


if __name__ == "__main__":
    main()
