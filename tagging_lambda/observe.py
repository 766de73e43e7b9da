"""What photos show, whatever their names: from pictures to class scores, facts and vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagging_lambda.image.picture import Picture, model_input
from tagging_lambda.words.class_keywords import strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.facts import PhotoFacts
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.classify import Classifier


@dataclass(frozen=True, slots=True)
class ObservedPhoto:
    """What a photo shows, whatever its name."""

    class_scores: tuple[ClassScore, ...]
    width_pixels: int
    height_pixels: int
    low_information: bool
    vector: FeatureVector | None = None
    facts: PhotoFacts | None = None


def observe(pictures: Sequence[Picture], classifier: Classifier) -> list[ObservedPhoto]:
    """Return what these pictures show, in one batch of the model; there may be none."""
    # All at full size: a smaller look first costs more than it saves on shop photos (DECISIONS.md, 136).
    if not pictures:
        return []
    pixels = model_input(pictures, classifier.card.input)
    return [
        ObservedPhoto(
            strongest(answer.scores),
            picture.width_pixels,
            picture.height_pixels,
            picture.low_information,
            answer.vector,
            picture.facts,
        )
        for picture, answer in zip(pictures, classifier.classify(pixels), strict=True)
    ]
