"""The projection from a model's features to the vector on a record.

One network's features: a second one's would cost as much again as all of tagging (DECISIONS.md, 158).
"""

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

STARTER = starter_head_dir()  # the folder has the projection as well: the head reads its vectors
PROJECTION_NAME = "projection.npz"


# 256 int8 dimensions, so that a vector fits on each record (DECISIONS.md, 31).
@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A linear projection of the features of one network.

    Attributes:
        network: the network with these features, from `network_of`.
        space: the id of network and projection, on vectors and heads.
        mean: float32 [F], subtracted first.
        matrix: float32 [F, D].
    """

    network: str
    space: str
    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def of(cls, network: str, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> Self:
        """Return the projection as its file stores it: the matrix in int8, with a scale for each column.

        Args:
            network: the network with these features.
            mean: float32 [F], the mean of the features after `rooted`.
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
            matrix = arrays["matrix"].astype(np.float32) * arrays["scales"]
            return cls(network, hashlib.sha256(data).hexdigest()[:SPACE_CHARACTERS], arrays["mean"], matrix)

    def save(self, path: Path) -> None:
        """Write the file, from which the same projection is loaded."""
        path.write_bytes(_as_file(self.network, self.mean, self.matrix))

    def vector(self, features: NDArray[np.float32]) -> FeatureVector:
        """Return the record's vector for float32 [F], the features of one photo."""
        projected = (rooted(features) - self.mean) @ self.matrix
        return FeatureVector.of(self.space, projected.astype(np.float32, copy=False))

    def fits(self, card: ModelCard) -> bool:
        """Return whether this projection fits the model's features."""
        return self.network == network_of(card) and card.output.feature_count == len(self.mean)


def rooted(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square roots of features, each row of length 1: float32 [..., F].

    The root keeps a few strong features from drowning the others; the length only says how busy a picture is.
    """
    roots = np.sqrt(np.maximum(features, 0))
    lengths = np.linalg.norm(roots, axis=-1, keepdims=True)
    return np.asarray(roots / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def network_of(card: ModelCard) -> str:
    """Return the id of the network and its preprocessing, whatever the precision of the served file.

    A rebuilt model may have other bytes, but has the same features up to quantization.
    """
    return f"{card.source.integrity} {card.input.fit}"


def projection_for(card: ModelCard) -> Projection | None:
    """Return the projection that ships for this model; None if it is for another one."""
    path = STARTER / PROJECTION_NAME
    if not path.is_file():  # before it is first trained
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
        matrix=np.rint(matrix / scales).astype(np.int8),
        scales=scales,
    )
    return file.getvalue()
