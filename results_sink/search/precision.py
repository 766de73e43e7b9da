"""The expected precision of keywords, and how many photos are left to review until it reaches a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PrecisionForecast:
    """The work that a review has left.

    Attributes:
        photos: with a keyword.
        decided: photos with a person's keyword; all their keywords count as right.
        keywords: of all these photos.
        precision: the expected share of right keywords; 1 if there are none.
        looks: photos to review, the least sure first, until the share reaches the target.
    """

    photos: int
    decided: int
    keywords: int
    precision: float
    looks: int


# In the review's order, so that the number matches what a person sees (DECISIONS.md, 116).
def forecast(
    counts: NDArray[np.int64],
    errors: NDArray[np.float64],
    surest: NDArray[np.float32],
    is_decided: NDArray[np.bool_],
    target: float,
) -> PrecisionForecast:
    """Return the work left until ``target`` of the keywords are expected to be right.

    Args:
        counts: [N], the number of keywords of each photo.
        errors: [N], the expected number of wrong ones: the sum of 1 - score, 0 where a person decided.
        surest: [N], the score of each photo's surest keyword, the review's order.
        is_decided: [N], whether a person has given the photo a keyword.
        target: in [0, 1].
    """
    total, wrong = int(counts.sum()), float(errors.sum())
    open_rows = np.flatnonzero(errors > 0)
    order = open_rows[np.argsort(surest[open_rows], kind="stable")]
    left = wrong - np.concatenate([[0.0], np.cumsum(errors[order])])
    allowed = (1 - target) * total + 1e-9  # rounding alone must not leave a photo to review
    has_keyword = counts > 0
    return PrecisionForecast(
        photos=int(has_keyword.sum()),
        decided=int((has_keyword & is_decided).sum()),
        keywords=total,
        precision=1 - wrong / total if total else 1.0,
        looks=int(np.argmax(left <= allowed)),
    )
