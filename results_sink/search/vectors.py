"""The feature vectors of an export's images, for similarity search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from results_sink.export.columns import VECTOR, ImageColumns, vectors_in_space
from results_sink.search.nearest import VectorIndex
from results_sink.search.shared_words import HeadWords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from results_sink.search.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class ExportedVectors:
    """Images with a vector of one space.

    Attributes:
        rows: int64 [n], the row of each in its part of the catalogue.
        index: over their vectors.
    """

    rows: NDArray[np.int64]
    index: VectorIndex


def exported_vectors(snapshot: Snapshot, space: str) -> ExportedVectors | None:
    """Return the vectors of that space in a snapshot; None if it has none.

    Raises:
        BadExport: a file of the export is missing or damaged.
    """
    groups = (
        group for part in snapshot.manifest.images for group in snapshot.open(part).row_groups(("image", *VECTOR))
    )
    return _indexed(groups, space)


def changed_vectors(changed: ImageColumns, space: str) -> ExportedVectors | None:
    """Return the vectors of that space of the images that changed since a snapshot; None if they have none."""
    return _indexed([changed.vectors], space) if changed.vectors is not None else None


def _indexed(groups: Iterable[Any], space: str) -> ExportedVectors | None:
    """Return the vectors of consecutive groups of rows, which are Arrow tables."""
    rows: list[NDArray[np.int64]] = []
    vectors: list[NDArray[np.int8]] = []
    first_row = 0
    for group in groups:
        group_rows, group_vectors = vectors_in_space(group, space)
        if len(group_rows):
            rows.append(group_rows + first_row)
            vectors.append(group_vectors)
        first_row += len(group)
    if not rows:
        return None
    return ExportedVectors(np.concatenate(rows), VectorIndex.of(np.concatenate(vectors), HeadWords.load(space)))
