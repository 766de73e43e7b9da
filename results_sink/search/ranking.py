"""Ranks matching images: by score, and by row on a tie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES_PER_PRODUCT = 10  # chosen by us: so many of the best images per wanted product mostly cover enough products


def best_places(scores: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Return the indices of the highest scores, best first, ties in their order: int64 [<= limit]."""
    if limit < len(scores):
        bar = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit else np.inf
        above = np.flatnonzero(scores > bar)
        level = np.flatnonzero(scores == bar)[: limit - len(above)]
        places = np.concatenate([above, level])
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")]


def best_of_products(
    scores: NDArray[np.float32], products: NDArray[np.int32], limit: int, wanted: int | None = None
) -> NDArray[np.int64]:
    """Return the index of the best image of each best-scoring product, best first: int64 [<= limit].

    A product's first image among the best images is its best. So the best images are scanned, ``wanted`` of them at
    first, and more if they cover too few products.
    """
    wanted = IMAGES_PER_PRODUCT * limit if wanted is None else wanted
    places = best_places(scores, wanted)
    _, firsts = np.unique(products[places], return_index=True)
    if len(firsts) >= limit or wanted >= len(scores):
        return places[np.sort(firsts)[:limit]]
    return best_of_products(scores, products, limit, IMAGES_PER_PRODUCT * wanted)


def by_product(rows: NDArray[np.int64], products: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows grouped by product, and where each product begins: both int64.

    Args:
        rows: int64 [N].
        products: int32 [N], the product of each of these rows.
    """
    if (products[1:] < products[:-1]).any():  # mostly sorted already, as a product's images have adjacent names
        order = np.argsort(products, kind="stable")
        rows, products = rows[order], products[order]
    return rows, np.flatnonzero(np.diff(products, prepend=-1))
