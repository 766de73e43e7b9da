"""The verb learn: trains a head for a shop's own words from its labelled photos."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import CallerError
from tagging_lambda.words.head_card import TrainingSource
from tagging_lambda.words.train import Background, Examples, TrainedHead, TrainingPlan, train_head

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pipeline.keywords import Vocabulary
    from pipeline.vectors import FeatureVector
    from tagging_lambda.words.labels import LabelledPhoto, Labels

FEWEST_EXAMPLES = 3  # photos of a word; with fewer, none is left to learn from after holding out two


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """A labelled photo and its feature vector."""

    photo: LabelledPhoto
    vector: FeatureVector


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The result of learning.

    Attributes:
        trained: the head, with its results on held-out photos.
        photos: those it learned from, in the examples' order.
        too_few: how many photos the words have that are left out for lack of them.
        vocabulary: includes the shop's own words.
    """

    trained: TrainedHead
    photos: tuple[LabelledPhoto, ...]
    too_few: Mapping[str, int]
    vocabulary: Vocabulary


def learn(
    seen: Sequence[SeenPhoto], labels: Labels, plan: TrainingPlan, background: Background | None = None
) -> Learned:
    """Return the head trained on the photos.

    A photo without keywords is an example of *other*. A photo with only rare keywords is left out: it may show another
    word.

    Raises:
        CallerError: there are fewer than two things to tell apart, or the vectors and the background differ in model.
    """
    background = background or Background.none()
    counts = Counter(keyword for item in seen for keyword in item.photo.keywords)
    too_few = {word: count for word, count in sorted(counts.items()) if count < FEWEST_EXAMPLES}
    rare = too_few.keys()
    usable = [item for item in seen if not item.photo.keywords or item.photo.keywords - rare]
    _check_enough(counts, rare, has_other=len(background) > 0 or _shows_other(usable))
    trained = train_head(examples_of(usable, rare), plan, labels.vocabulary, background)
    return Learned(trained, tuple(item.photo for item in usable), too_few, labels.vocabulary)


def examples_of(seen: Sequence[SeenPhoto], rare: Collection[str] = ()) -> Examples:
    """Return these photos, at least one, as examples without the rare keywords."""
    return Examples(
        vectors=np.stack([item.vector.to_array() for item in seen]),
        labels=tuple(item.photo.keywords.difference(rare) for item in seen),
        groups=tuple(item.photo.group for item in seen),
    )


def _shows_other(seen: Sequence[SeenPhoto]) -> bool:
    return any(not item.photo.keywords for item in seen)


def _check_enough(counts: Counter[str], rare: AbstractSet[str], *, has_other: bool) -> None:
    """Refuse labels with fewer than two things to tell apart.

    Raises:
        CallerError: no word has enough photos, or there is only one word and nothing else.
    """
    learnable = len(counts.keys() - rare)
    if not learnable:
        most = max(counts.values(), default=0)
        raise CallerError(
            f"no word has {FEWEST_EXAMPLES} photos or more, which is the fewest to learn from; the most is {most}"
        )
    if learnable == 1 and not has_other:
        raise CallerError("there is one word and no photo of anything else: label photos of a second thing as well")


def training_source(name: str, photos: Sequence[LabelledPhoto]) -> TrainingSource:
    """Return the card's entry for the photos: the same names and labels give the same hash."""
    lines = sorted(f"{photo.text}\t{'|'.join(sorted(photo.keywords))}\n" for photo in photos)
    return TrainingSource(name, hashlib.sha256("".join(lines).encode()).hexdigest(), len(photos))
