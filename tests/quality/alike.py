"""Measures whether the photos most alike show the same garment: `python -m tests.quality.alike DATA`.

What a photo is taken for comes from heads that are taught as the starter is, in five folds, each without the photo's
contributor; looks come from axes that know no label. So nothing knows the photos that it is judged by.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np

from infra.heads.train_starter import DIMENSIONS, SOURCES, FeatureReader, Gallery, Subspace, held_out_logits, photos_of
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import home, model_dir
from results_sink.search.nearest import WORDS_SHARE
from tagging_lambda.classify import Classifier

NEAREST = 5
SHARES = (0, 0.1, 0.2, WORDS_SHARE, 0.5)


def ten_garments(data: Path) -> dict[Path, str]:
    """Return the garment of each photo of the splits with ten garments."""
    with (data / "clothing" / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "more"]
    return {data / "clothing" / row["file"]: row["keyword"] for row in rows}


def looks(coordinates: np.ndarray) -> np.ndarray:
    """Return float32 [n, n]: the cosines of photos along the axes on which most photos differ."""
    strongest = coordinates[:, :DIMENSIONS]
    units = strongest / np.linalg.norm(strongest, axis=1, keepdims=True)
    return units @ units.T


def shared_words(logits: np.ndarray) -> np.ndarray:
    """Return float32 [n, n]: the Bhattacharyya coefficients of what photos are taken for."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    roots = np.sqrt(powers / powers.sum(axis=1, keepdims=True))
    return roots @ roots.T


def precision(scores: np.ndarray, names: np.ndarray, is_passed: np.ndarray) -> float:
    """Return how many of the five photos most like each one, without those that are passed over, have its name."""
    nearest = np.argsort(-np.where(is_passed, -1, scores), axis=1, kind="stable")[:, :NEAREST]
    return float((names[nearest] == names[:, None]).mean())


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(data: Path) -> None:
    """Print the precision of the five most alike, by how much of the score is what photos are taken for."""
    vocabulary, classifier = Vocabulary.load(), Classifier.load(model_dir() / CARD_NAME)
    photos = {name: photos_of(data, name, vocabulary) for name in SOURCES}
    gallery = Gallery.of(FeatureReader(classifier, home() / "starter-features"), photos)
    coordinates = Subspace.of(gallery).coordinates
    held_out = held_out_logits(gallery, coordinates, vocabulary)
    everyone, groups = [photo for name in SOURCES for photo in photos[name]], np.array(gallery.groups)
    garments = ten_garments(data)
    judged = np.array([row for row, photo in enumerate(everyone) if photo.path in garments])
    names = np.array([garments[everyone[row].path] for row in judged])
    by_looks, by_words = looks(coordinates[judged]), shared_words(held_out.logits[judged])
    is_same_group = groups[judged][:, None] == groups[judged]
    for share in SHARES:
        scores = (1 - share) * by_looks + share * by_words
        of_all = precision(scores, names, np.eye(len(judged), dtype=bool))
        of_others = precision(scores, names, is_same_group)
        click.echo(f"words {share:.2f} of the score: {of_all:.3f}, of other contributors' photos alone {of_others:.3f}")
    click.echo(f"{len(judged)} photos, {len(set(names))} garments")


if __name__ == "__main__":
    main()
