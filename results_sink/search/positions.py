"""Where images and products of a snapshot stand, by their names, which changes ask for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from results_sink.export.parquet import ParquetFile

ABSENT = -1  # the row of an image that the snapshot does not have
KEPT_COLUMNS = 1_024  # row groups whose images' names are kept, chosen by us: some 80 MB, two million images


class ImagePlaces:
    """Finds the rows of images, which are sorted by name, by bisection in the row group that can have them."""

    def __init__(self, files: Sequence[ParquetFile], row_groups: Sequence[Sequence[int]]) -> None:
        """Know the first image of each row group of ``images/``; ``row_groups`` says how many rows each has."""
        self._groups = [
            (file, number) for file, sizes in zip(files, row_groups, strict=True) for number in range(len(sizes))
        ]
        self._begins = list(accumulate((rows for sizes in row_groups for rows in sizes), initial=0))
        self._firsts = [first for file in files for first in file.first_images]
        self._columns: OrderedDict[int, Any] = OrderedDict()

    def rows(self, images: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each of these images, or ``ABSENT``: int64 [N]."""
        found = {image: self._row(image) for image in sorted(images)}  # so that each column is read once
        return np.array([found[image] for image in images], np.int64)

    def _row(self, image: str) -> int:
        group = bisect_right(self._firsts, image) - 1
        if group < 0:
            return ABSENT
        column = self._column(group)
        at = bisect_left(column, image, key=str)
        return self._begins[group] + at if at < len(column) and str(column[at]) == image else ABSENT

    def _column(self, group: int) -> Any:
        if group not in self._columns:
            file, number = self._groups[group]
            self._columns[group] = file.images_of(number)
            if len(self._columns) > KEPT_COLUMNS:
                self._columns.popitem(last=False)
        self._columns.move_to_end(group)
        return self._columns[group]


class ProductNumbers:
    """Numbers the products of images that changed as those of the snapshot are numbered; a new one goes on counting."""

    def __init__(self, of_rows: NDArray[np.int32], products: Any, order: NDArray[np.int32]) -> None:
        """Know the number of each row's product, the products by their numbers, and the numbers sorted by product."""
        self.of_rows, self._products, self._order = of_rows, products, order
        self._new: dict[str, int] = {}

    def of(self, products: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the number of the product of each image, of which ``rows`` are in the snapshot, or ``ABSENT``."""
        pairs = zip(products, rows.tolist(), strict=True)
        return np.array([self._number(product, row) for product, row in pairs], np.int32)

    def _number(self, product: str, row: int) -> int:
        if row != ABSENT and self._is(number := int(self.of_rows[row]), product):
            return number  # as it was before the image changed, most often
        at = bisect_left(self._order, product, key=lambda number: str(self._products[number]))
        if at < len(self._order) and self._is(number := int(self._order[at]), product):
            return number
        return self._new.setdefault(product, len(self._products) + len(self._new))

    def _is(self, number: int, product: str) -> bool:
        return str(self._products[number]) == product
