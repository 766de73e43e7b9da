"""The background that ships: vectors of many things, as negative examples for a shop's own head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import BadModel
from tagging_lambda.words.train import Background

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKGROUND_PATH = Path(__file__).with_name("background.npz")


def load_background(space: str, path: Path = BACKGROUND_PATH) -> Background:
    """Return the background of that space; an empty one if the file's space differs: each model needs its own.

    Raises:
        BadModel: the file is damaged.
    """
    if not path.is_file():
        return Background.none()
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["space"]) != space:
                return Background.none()
            return Background(_unit(arrays["levels"]), tuple(str(kind) for kind in arrays["kinds"]))
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(f"{path} is no background of vectors ({error})") from error


def save_background(space: str, levels: NDArray[np.int8], kinds: tuple[str, ...], path: Path) -> None:
    """Write a background: int8 [m, D], rows of one kind together, and each row's kind."""
    np.savez_compressed(path, space=np.array(space), levels=levels, kinds=np.array(kinds))


def _unit(levels: NDArray[np.int8]) -> NDArray[np.float32]:
    vectors = levels.astype(np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1), np.float32)
