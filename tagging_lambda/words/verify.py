"""The verb verify: finds the photos that contradict their own keywords, worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tagging_lambda.words.head_thresholds import Truth
from tagging_lambda.words.learn import SeenPhoto, examples_of
from tagging_lambda.words.train import Background, cross_validated_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from tagging_lambda.words.labels import LabelledPhoto

LEAST = 0.1  # least lead of another keyword's score, chosen by us: less is a matter of taste
FEWEST_PHOTOS = 3  # of a keyword: with fewer, too little is left when one is held out


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A photo whose label the other photos contradict.

    Attributes:
        photo: the photo with its keywords.
        doubted: the keyword that the others contradict; None if one is missing rather than wrong.
        believed: the keyword that they suggest; None if there is none.
        doubted_score: how likely the doubted keyword is, in [0, 1].
        believed_score: likewise for the believed one.
    """

    photo: LabelledPhoto
    doubted: str | None
    believed: str | None
    doubted_score: float
    believed_score: float

    @property
    def contradiction(self) -> float:
        """How strongly the others contradict the photo's label, in [-1, 1]: photos above `LEAST` are listed."""
        return self.believed_score - self.doubted_score


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of verifying labels.

    Attributes:
        photos: the number of photos.
        contradictions: worst first, only those with another keyword believed.
        unverified: keywords with too few photos to verify.
    """

    photos: int
    contradictions: tuple[Contradiction, ...]
    unverified: tuple[str, ...]


def verify(
    seen: Sequence[SeenPhoto], vocabulary: Vocabulary, seed: int = 0, background: Background | None = None
) -> Verification:
    """Return the photos that contradict their keywords, by heads trained on the other photos alone."""
    counts = Counter(word for item in seen for word in item.photo.keywords)
    words = tuple(sorted(word for word, count in counts.items() if count >= FEWEST_PHOTOS))
    unverified = tuple(sorted(counts.keys() - set(words)))
    judged = [item for item in seen if not item.photo.keywords & set(unverified)]
    if len(words) + any(not item.photo.keywords for item in judged) < 2:  # noqa: PLR2004 - one thing contradicts nothing
        return Verification(len(judged), (), unverified)
    examples = examples_of(judged)
    scores = cross_validated_scores(examples, words, seed, background)
    truth = Truth.of(examples.labels, words, vocabulary)
    judgements = (
        _contradiction(item.photo, scores[index], words, truth.first(index + 1)) for index, item in enumerate(judged)
    )
    contradictions = (item for item in judgements if item.contradiction > LEAST)
    worst_first = sorted(contradictions, key=lambda item: (-item.contradiction, item.photo.line))
    return Verification(len(judged), tuple(worst_first), unverified)


def _contradiction(
    photo: LabelledPhoto, scores: NDArray[np.float32], words: Sequence[str], truth: Truth
) -> Contradiction:
    """Return what contradicts the photo's keywords; `truth` ends with the photo's row.

    Evidence for a keyword below the photo's own supports that one too.
    """
    fitting, narrower = truth.right[-1] | truth.unjudged[-1], truth.unjudged[-1]
    below = float(np.where(narrower, scores[:-1], 0.0).max())
    own = {word: max(below, float(scores[words.index(word)])) for word in photo.keywords}
    doubted = min(own, key=lambda word: (own[word], word), default=None)
    others = np.where(fitting, -1.0, scores[:-1])
    best = int(others.argmax())
    is_other = bool(photo.keywords) and float(scores[-1]) > float(others[best])
    believed, believed_score = (None, float(scores[-1])) if is_other else (words[best], float(others[best]))
    doubted_score = float(scores[-1]) if doubted is None else own[doubted]
    return Contradiction(photo, doubted, believed, doubted_score, believed_score)
