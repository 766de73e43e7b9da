"""The vectors of an export, for whoever looks for what is alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from results_sink.search.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class ExportedVectors:
    """The images of an export with a vector of one space.

    Attributes:
        images: their names.
        levels: int8 [n, D], the vector of each.
    """

    images: list[str]
    levels: NDArray[np.int8]


def exported_vectors(snapshot: Snapshot, space: str) -> ExportedVectors:
    """Return the vectors of that space; none of an export that was written before it had any.

    Raises:
        BadExport: a file of the export is missing or damaged.
    """
    images: list[str] = []
    blocks: list[NDArray[np.int8]] = []
    for part in snapshot.manifest.images:
        for names, data in snapshot.open(part).vectors(space):
            images += names
            blocks.append(np.frombuffer(data, np.int8).reshape(len(names), -1))
    return ExportedVectors(images, np.concatenate(blocks) if blocks else np.empty((0, 0), np.int8))
