"""What the model says of photos, kept by the model's version, the way a photo is fitted, and the file's content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.quality.fits import FITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tagging_lambda.classify import Classifier


@dataclass(frozen=True)
class ScoreCache:
    """Class scores of photos: float32 [classes] each, from the model once and from the folder ever after."""

    folder: Path
    classifier: Classifier

    def scores(self, photo: Path, fit: str) -> np.ndarray:
        """Return the photo's class scores when it is fitted in that way: the mean over its views."""
        data = photo.read_bytes()
        kept = self.folder / f"{self.classifier.card.version}-{fit}" / f"{hashlib.sha256(data).hexdigest()}.npy"
        if kept.exists():
            return np.load(kept)
        views = np.stack(FITS[fit](data, self.classifier.card.input))
        scores = np.mean([each.scores for each in self.classifier.classify(views)], axis=0)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, scores.astype(np.float32))
        return np.load(kept)

    def all(self, photos: Iterable[Path], fit: str) -> Iterator[np.ndarray]:
        """Yield the scores of each photo."""
        return (self.scores(photo, fit) for photo in photos)
