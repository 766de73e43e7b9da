"""The built-in head's words of two photos, as part of how alike they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np

from pipeline.model_version import CARD_NAME
from pipeline.settings import starter_head_dir
from pipeline.softmax import softmax
from pipeline.vectors import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS_NAME = "weights.npz"  # the head's weights, beside its card


# DECISIONS.md, 139: by looks alone a hoodie on a bed is like a towel on a bed.
@dataclass(frozen=True, slots=True, eq=False)
class HeadWords:
    """The built-in head's word scores for vectors of its space.

    Attributes:
        coefficients: float32 [D, words + 1]; the last column is *other*.
        bias: float32 [words + 1].
    """

    coefficients: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    @lru_cache(maxsize=4)  # each new state of a search asks for it, and the files of a deployed head never change
    def load(cls, space: str, folder: Path | None = None) -> Self | None:
        """Return the built-in head's words for vectors of this space; None if the head reads another space."""
        folder = folder or starter_head_dir()
        card = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
        if card["space"] != space:
            return None
        with np.load(folder / WEIGHTS_NAME, allow_pickle=False) as arrays:
            return cls(arrays["coefficients"], arrays["bias"])

    def levels(self, units: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return int8 [n, words + 1] of float32 [n, D] of length 1: the square roots of the scores, 127 for 1.

        The cosine of two rows is the Bhattacharyya coefficient of the scores: 1 if both photos score the same, 0 if no
        word is possible for both.
        """
        scores = softmax(units @ self.coefficients + self.bias)
        return np.asarray(np.rint(np.sqrt(scores) * LEVELS), np.int8)
