"""The projection: from the features that a model computed to the vector that a record keeps."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from pipeline.errors import BadModel
from pipeline.settings import starter_head_dir
from pipeline.vectors import SPACE_CHARACTERS, FeatureVector

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tagging_lambda.model_card import ModelCard

STARTER = starter_head_dir()  # of the projection as well: the head reads its vectors
PROJECTION_NAME = "projection.npz"


# 256 int8 dimensions, so that a vector fits on each record (DECISIONS.md, 31).
@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A linear projection of the features of one network.

    Attributes:
        network: names the weights whose features these are, as `network_of` does.
        space: names the network and the projection; vectors and heads carry it.
        mean: float32 [F], subtracted first.
        matrix: float32 [F, D], column by column in memory: so it is read in one go, which takes half as long.
    """

    network: str
    space: str
    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def of(cls, network: str, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> Self:
        """Return the projection as its file will say it: the matrix in int8, with a scale for each column.

        Args:
            network: whose features these are.
            mean: float32 [F], of the features after `rooted`.
            matrix: float32 [F, D].
        """
        return cls._read(_as_file(network, mean, matrix))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the projection in the file.

        Raises:
            BadModel: there is none, or it is damaged.
        """
        try:
            return cls._read(path.read_bytes())
        except OSError as error:
            raise BadModel(f"{path} cannot be read ({error.strerror})") from error
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise BadModel(f"{path} does not hold a projection ({error})") from error

    @classmethod
    def _read(cls, data: bytes) -> Self:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            network = str(arrays["network"])
            matrix = np.asfortranarray(arrays["matrix"].astype(np.float32) * arrays["scales"])
            return cls(network, hashlib.sha256(data).hexdigest()[:SPACE_CHARACTERS], arrays["mean"], matrix)

    def save(self, path: Path) -> None:
        """Write the file; what is loaded from it is the same projection."""
        path.write_bytes(_as_file(self.network, self.mean, self.matrix))

    def vector(self, features: NDArray[np.float32]) -> FeatureVector:
        """Return what a record keeps of float32 [F], the features of one photo."""
        projected = (rooted(features) - self.mean) @ self.matrix
        return FeatureVector.of(self.space, projected.astype(np.float32, copy=False))

    def fits(self, card: ModelCard) -> bool:
        """Return whether this is the projection of the model's features."""
        return self.network == network_of(card) and card.output.feature_count == len(self.mean)


def rooted(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square roots of features, each row of length 1: float32 [..., F].

    The root keeps a few strong features from drowning the others; the length says how busy a picture is, not what of.
    """
    roots = np.sqrt(np.maximum(features, 0))
    lengths = np.linalg.norm(roots, axis=-1, keepdims=True)
    return np.asarray(roots / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def network_of(card: ModelCard) -> str:
    """Return what names the network and how it is shown pictures, whatever the precision of the file that is served.

    A model that is built anew may have other bytes and has the same features, within what quantization changes.
    """
    return f"{card.source.integrity} {card.input.fit}"


def projection_for(card: ModelCard) -> Projection | None:
    """Return the projection that ships for this model; None where it is for another one."""
    path = STARTER / PROJECTION_NAME
    if not path.is_file():  # while it is made for the first time
        return None
    projection = Projection.load(path)
    return projection if projection.fits(card) else None


def _as_file(network: str, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> bytes:
    scales = (np.abs(matrix).max(axis=0) / 127).astype(np.float32)
    file = io.BytesIO()
    np.savez(
        file,
        network=np.array(network),
        mean=mean.astype(np.float32),
        matrix=np.ascontiguousarray(
            np.rint(matrix / scales), np.int8
        ),  # whose bytes its order in memory must not change
        scales=scales,
    )
    return file.getvalue()
