"""How right keywords are expected to be, and how many looks are left until they are as right as somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PrecisionForecast:
    """What a review has before it.

    Attributes:
        photos: with a keyword.
        decided: photos that a person has given a keyword; all their keywords count as right.
        keywords: of all these photos.
        precision: the share of the keywords that is expected to be right; 1 where there are none.
        looks: photos to look at, the least sure first, until the share is what was wanted.
    """

    photos: int
    decided: int
    keywords: int
    precision: float
    looks: int


# In the order of the review, so that the number is what a person will see (DECISIONS.md, 116).
def forecast(
    counts: NDArray[np.int64],
    errors: NDArray[np.float64],
    surest: NDArray[np.float32],
    is_decided: NDArray[np.bool_],
    target: float,
) -> PrecisionForecast:
    """Return what is left to do until ``target`` of the keywords are expected to be right.

    Args:
        counts: [N], the keywords of each photo.
        errors: [N], how many of them are expected to be wrong: the sum of 1 - score, 0 where a person decided.
        surest: [N], the score of each photo's surest keyword, by which a review is sorted.
        is_decided: [N], whether a person has given the photo a keyword.
        target: in [0, 1].
    """
    total, wrong = int(counts.sum()), float(errors.sum())
    open_rows = np.flatnonzero(errors > 0)
    order = open_rows[np.argsort(surest[open_rows], kind="stable")]
    left = wrong - np.concatenate([[0.0], np.cumsum(errors[order])])
    allowed = (1 - target) * total + 1e-9  # the last look leaves nothing but what rounding does
    has_keyword = counts > 0
    return PrecisionForecast(
        photos=int(has_keyword.sum()),
        decided=int((has_keyword & is_decided).sum()),
        keywords=total,
        precision=1 - wrong / total if total else 1.0,
        looks=int(np.argmax(left <= allowed)),
    )
