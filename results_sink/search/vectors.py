"""The vectors of a snapshot, for whoever looks for what is alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from results_sink.search.nearest import VectorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from results_sink.search.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class ExportedVectors:
    """The images of a snapshot with a vector of one space.

    Attributes:
        rows: int64 [n], the row of each among the snapshot's images.
        index: of their vectors.
    """

    rows: NDArray[np.int64]
    index: VectorIndex


# Deltas carry no index, so what is similar is said of the last snapshot (DECISIONS.md, 97).
def exported_vectors(snapshot: Snapshot, space: str) -> ExportedVectors | None:
    """Return the vectors of that space; None where the snapshot has none.

    Raises:
        BadExport: a file of the export is missing or damaged.
    """
    rows: list[NDArray[np.int64]] = []
    levels: list[NDArray[np.int8]] = []
    first_row = 0
    for part in snapshot.manifest.images:
        for part_rows, data in snapshot.open(part).vectors(space):
            rows.append(part_rows + first_row)
            levels.append(np.frombuffer(data, np.int8).reshape(len(part_rows), -1))
        first_row += part.rows
    return ExportedVectors(np.concatenate(rows), VectorIndex.of(np.concatenate(levels))) if rows else None
