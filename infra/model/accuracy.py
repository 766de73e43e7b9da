"""A model's accuracy on photos of known class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.csv_rows import CsvRow, rows
from pipeline.errors import CallerError, ImageRejected
from pipeline.progress import Progress
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import Picture, model_input
from tagging_lambda.model_card import MeasuredAccuracy, ModelCard

BATCH_IMAGES = 16  # chosen by us: 10 MB of pixels; speed is the same from 1 on
TOP = 5


@dataclass(frozen=True, slots=True)
class PhotoOfClass:
    """A photo and the index of its labelled class."""

    path: Path
    class_index: int


def read_photos_of_classes(path: Path, classes: int) -> tuple[PhotoOfClass, ...]:
    """Return the photos of a CSV with the columns `file` (relative to the CSV) and `class_index`.

    Raises:
        CallerError: The file is malformed, names a class the model lacks, or names no photo.
    """
    needed = ("file", "class_index")
    photos = tuple(PhotoOfClass(path.parent / row["file"], _class_index(row, classes)) for row in rows(path, needed))
    if not photos:
        raise CallerError(f"{path} names no photo")
    return photos


def measure(
    card_path: Path, labels: Path, photos: tuple[PhotoOfClass, ...], progress: Progress
) -> tuple[MeasuredAccuracy, ...]:
    """Return the accuracy of each of the model's files on the photos of `labels`; each photo is read once.

    Raises:
        CallerError: A photo is missing or cannot be read.
        BadModel: A file of the model does not match the card.
    """
    card = ModelCard.load(card_path)
    classifiers = {file.precision: Classifier.load(card_path, 0, file.precision) for file in card.files}
    ranks: dict[str, list[int]] = {precision: [] for precision in classifiers}
    for start in range(0, len(photos), BATCH_IMAGES):
        batch = photos[start : start + BATCH_IMAGES]
        pixels = model_input([_read(photo, card) for photo in batch], card.input)
        for precision, classifier in classifiers.items():
            answers = zip(classifier.classify(pixels), batch, strict=True)
            ranks[precision] += [_rank(answer.scores, photo.class_index) for answer, photo in answers]
        progress.step(len(batch))
    named = f"{labels.resolve().parent.name}/{labels.name}"
    sha256 = hashlib.sha256(labels.read_bytes()).hexdigest()
    return tuple(
        MeasuredAccuracy(precision, named, sha256, len(photos), _share_within(own, 1), _share_within(own, TOP))
        for precision, own in ranks.items()
    )


def _class_index(row: CsvRow, classes: int) -> int:
    text = row["class_index"]
    if not text.isdecimal() or int(text) >= classes:
        raise row.mistake("class_index", f"{text!r} is no class of the model; it must be from 0 to {classes - 1}")
    return int(text)


def _read(photo: PhotoOfClass, card: ModelCard) -> Picture:
    try:
        return read_picture(photo.path.read_bytes(), card.input)
    except OSError as error:
        raise CallerError(f"{photo.path} cannot be read ({error.strerror})") from error
    except ImageRejected as error:
        raise CallerError(f"{photo.path} is not a photo that can be classified: {error}") from error


def _rank(scores: NDArray[np.float32], class_index: int) -> int:
    """Return how many classes rank above the right one."""
    return int(np.count_nonzero(scores > scores[class_index]))


def _share_within(ranks: list[int], places: int) -> float:
    return round(sum(rank < places for rank in ranks) / len(ranks), 4)
