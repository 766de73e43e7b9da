"""The best results come first, and each product by its best image, however many images there are."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from results_sink.search.ranking import best_of_products, best_places, by_product

scores = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), max_size=60)
scored_products = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.integers(0, 30)), max_size=400)


def ranked(values: list[float]) -> list[int]:
    """Return the places of these scores, the best first, and level ones in their order."""
    return sorted(range(len(values)), key=lambda place: (-values[place], place))


@given(scores, st.integers(0, 70))
def test_the_best_come_first_and_level_ones_in_their_order(values: list[float], limit: int) -> None:
    assert best_places(np.array(values, np.float32), limit).tolist() == ranked(values)[:limit]


@given(scored_products, st.integers(0, 12))
@example([(0.9, 0)] * 50 + [(0.5, product) for product in range(1, 11)], 3)
@example([(0.9, 0)] * 30 + [(0.9, 1)] + [(0.5, product) for product in range(2, 31)], 3)
def test_a_product_stands_where_its_best_image_does(images: list[tuple[float, int]], limit: int) -> None:
    """Also where the best images are of few products, and where very many scores are level."""
    firsts: dict[int, int] = {}
    for place in ranked([score for score, _ in images]):
        firsts.setdefault(images[place][1], place)
    values = np.array([score for score, _ in images], np.float32)
    products = np.array([product for _, product in images], np.int32)

    assert best_of_products(values, products, limit).tolist() == list(firsts.values())[:limit]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_images_of_a_product_are_put_together(products: list[int]) -> None:
    rows, begins = by_product(np.arange(len(products)), np.array(products, np.int32))
    ends = [*begins[1:], len(rows)][: len(begins)]
    groups = [rows[begin:end].tolist() for begin, end in zip(begins, ends, strict=True)]

    assert groups == [
        [row for row, product in enumerate(products) if product == number] for number in sorted(set(products))
    ]
