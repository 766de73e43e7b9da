"""Measures whether the photos most alike show the same garment: `python -m tests.quality.alike DATA`.

What a photo is taken for comes from a head that was taught without its contributor, in five folds, and looks from axes
that know no label: nothing knows the photos that it is judged by. Features are kept where `infra.heads.train_starter`
keeps them; of its views only the photos as seen are read here, so the head is a little weaker than the one that ships.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np

from infra.heads.train_starter import DIMENSIONS, FeatureReader, Gallery, View, held_out_logits, photos_of
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import home, model_dir
from results_sink.search.nearest import WORDS_SHARE
from tagging_lambda.classify import Classifier
from tagging_lambda.words.projection import network_of, rooted

SETS = ("clothing", "goods", "grocery", "imagenet")
NEAREST = 5
SHARES = (0, 0.1, 0.2, WORDS_SHARE, 0.5)


def ten_garments(data: Path) -> dict[Path, str]:
    """Return the garment of each photo of the splits with ten garments."""
    with (data / "clothing" / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "more"]
    return {data / "clothing" / row["file"]: row["keyword"] for row in rows}


def looks(features: np.ndarray) -> np.ndarray:
    """Return float32 [n, n]: the cosines of photos along the axes on which most photos differ."""
    roots = rooted(features)
    centred = roots - roots.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    along = centred @ axes[:, -DIMENSIONS:]
    units = along / np.linalg.norm(along, axis=1, keepdims=True)
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
    reader = FeatureReader(classifier, home() / "starter-features")
    photos = {name: photos_of(data, name, vocabulary) for name in SETS}
    features = np.concatenate([reader.features(photos[name], View.AS_SEEN)[0] for name in SETS])
    everyone = [photo for name in SETS for photo in photos[name]]
    labels = tuple(frozenset({photo.keyword_id} - {""}) for photo in everyone)
    groups = np.array([photo.group for photo in everyone])
    gallery = Gallery(features, labels, tuple(groups.tolist()), len(everyone))
    held_out = held_out_logits(network_of(classifier.card), gallery, vocabulary)
    garments = ten_garments(data)
    judged = np.array([row for row, photo in enumerate(everyone) if photo.path in garments])
    names = np.array([garments[everyone[row].path] for row in judged])
    by_looks, by_words = looks(features[judged]), shared_words(held_out.logits[judged])
    is_same_group = groups[judged][:, None] == groups[judged]
    for share in SHARES:
        scores = (1 - share) * by_looks + share * by_words
        of_all = precision(scores, names, np.eye(len(judged), dtype=bool))
        of_others = precision(scores, names, is_same_group)
        click.echo(f"words {share:.2f} of the score: {of_all:.3f}, of other contributors' photos alone {of_others:.3f}")
    click.echo(f"{len(judged)} photos, {len(set(names))} garments")


if __name__ == "__main__":
    main()
