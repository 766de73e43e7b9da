"""Writes the background that ships: vectors of many things, for heads that a shop learns to tell *other* by."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from infra.heads.train_starter import OTHER, SOURCES, FeatureReader, photos_of
from pipeline.errors import BadModel
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import home, model_dir
from tagging_lambda.classify import Classifier
from tagging_lambda.words.background import BACKGROUND_PATH, save_background

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from infra.heads.train_starter import Photo

MOST_OF_A_KIND = 24  # photos: how things of one kind differ is learned from many kinds, not from many photos of one


def spread(photos: list[Photo]) -> list[int]:
    """Return the rows of at most `MOST_OF_A_KIND` photos of each keyword, evenly spread; all of what is no keyword."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, photo in enumerate(photos):
        rows[photo.keyword_id].append(row)
    return [
        row
        for keyword_id, kind in rows.items()
        for row in (kind if keyword_id == OTHER else kind[:: len(kind) // MOST_OF_A_KIND + 1])
    ]


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), default=BACKGROUND_PATH)
def main(data: Path, out: Path) -> None:
    """Write the background from the folders clothing, grocery, goods and imagenet in DATA. No photo is kept."""
    vocabulary = Vocabulary.load()
    classifier = Classifier.load(model_dir() / CARD_NAME)
    if classifier.projection is None:
        raise BadModel("there is no projection yet; run infra.heads.train_starter first")
    reader = FeatureReader(classifier, home() / "starter-features")
    levels: list[NDArray[np.int8]] = []
    kinds: list[str] = []
    for data_set in SOURCES:
        photos = photos_of(data, data_set, vocabulary)
        features, _ = reader.features(data_set, photos, as_shops=False)
        for row in spread(photos):
            levels.append(np.frombuffer(classifier.projection.vector(features[row]).data, np.int8))
            kinds.append(photos[row].keyword_id or f"{data_set} {row}")
    save_background(classifier.projection.space, np.stack(levels), tuple(kinds), out)
    click.echo(f"{out}: {len(kinds):,} vectors of {len(set(kinds)):,} kinds, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
