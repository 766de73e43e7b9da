"""A shop of coloured things, by vectors alone: photos of one word lie near one direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.keywords import Keyword, Use
from pipeline.vectors import FeatureVector
from tagging_lambda.words.labels import LabelledPhoto
from tagging_lambda.words.learn import SeenPhoto
from tagging_lambda.words.train import Background, Examples
from tests.builders import vocabulary_of

SPACE = "0123456789ab"
DIMENSIONS = 16
WORDS = ("boot", "sandal", "shirt")
# fashion (a department) > clothing > footwear > boot, sandal; clothing > shirt
VOCABULARY = vocabulary_of(
    [
        Keyword("fashion", (), Use.FALLBACK, None, {"en": ("fashion",)}),
        Keyword("clothing", ("fashion",), Use.KEYWORD, None, {"en": ("clothing",)}),
        Keyword("footwear", ("clothing",), Use.KEYWORD, None, {"en": ("footwear",)}),
        Keyword("boot", ("footwear",), Use.KEYWORD, None, {"en": ("boot", "bootee"), "de": ("Stiefel",)}),
        Keyword("sandal", ("footwear",), Use.KEYWORD, None, {"en": ("sandal",)}),
        Keyword("shirt", ("clothing",), Use.KEYWORD, None, {"en": ("shirt",)}),
        Keyword("mule-shoe", ("footwear",), Use.KEYWORD, None, {"en": ("mule",)}),
        Keyword("mule-animal", (), Use.KEYWORD, None, {"en": ("mule",)}),
        Keyword("lamp", (), Use.KEYWORD, None, {"en": ("lamp",)}),
    ],
    "test",
)


def vectors(direction: int, count: int, spread: float = 0.12, seed: int = 0) -> np.ndarray:
    """Return float32 [count, D] of length 1 near a direction."""
    noise = np.random.default_rng([seed, direction]).normal(scale=spread, size=(count, DIMENSIONS))
    rows = noise + np.eye(DIMENSIONS)[direction]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def examples(count: int = 20, words: tuple[str, ...] = WORDS, spread: float = 0.12, seed: int = 0) -> Examples:
    """Return so many photos of each word, each a group of its own."""
    rows = np.concatenate([vectors(direction, count, spread, seed) for direction in range(len(words))])
    labels = tuple(frozenset({word}) for word in words for _ in range(count))
    return Examples(rows, labels, tuple(f"p{number}" for number in range(len(labels))))


def background(count: int = 60) -> Background:
    """Return vectors of lamps and of a thing that the vocabulary lacks."""
    rows = np.concatenate([vectors(8, count // 2), vectors(9, count // 2)])
    return Background(rows, ("lamp",) * (count // 2) + ("clutter",) * (count // 2))


def seen(found: Examples) -> list[SeenPhoto]:
    """Return the examples as labelled photos with their vectors."""
    return [
        SeenPhoto(
            LabelledPhoto(Path(f"{row}.jpg"), f"{row}.jpg", label, group, row + 2),
            FeatureVector.of(SPACE, found.vectors[row]),
        )
        for row, (label, group) in enumerate(zip(found.labels, found.groups, strict=True))
    ]
