"""Facets are counted exactly, however many names there are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keywords import Keyword, Use, Vocabulary, fold
from results_sink.search.facets import BITS, FacetCounter, FacetNames
from tests.builders import vocabulary_of

NAMES = [f"word {number:03d}" for number in range(200)]
VOCABULARY = vocabulary_of([Keyword(name, (), Use.KEYWORD, None, {"en": (name,)}) for name in NAMES], "words-1")
PLURAL_ENDINGS = ("s", "es", "e", "n", "en", "er", "x")
sets = st.lists(st.frozensets(st.sampled_from(NAMES), max_size=90), min_size=1, max_size=6)


images = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=30)
mostly_alone = st.lists(st.integers(0, 5), min_size=20, max_size=60).map(
    lambda codes: [(code, max(product, 3)) for product, code in enumerate(codes)]
)


@given(sets, st.one_of(images, mostly_alone), st.integers(1, 150))
def test_a_product_counts_once_for_each_name_of_its_images(
    sets: list[frozenset[str]], images: list[tuple[int, int]], limit: int
) -> None:
    counter = FacetCounter(FacetNames(VOCABULARY), [sorted(names) for names in sets])
    images = sorted((product, code % len(sets)) for code, product in images)
    products = np.array([product for product, _ in images], np.int64)
    codes = np.array([code for _, code in images], np.int64)
    expected: Counter[str] = Counter()
    for product in set(products.tolist()):
        expected.update(frozenset().union(*(sets[code] for other, code in images if other == product)))

    facets = counter.of_products(codes, np.flatnonzero(np.diff(products, prepend=-1)), limit)

    assert [(facet.count, facet.keyword) for facet in facets] == [
        (count, name) for name, count in sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:limit]
    ]


def test_a_name_that_is_counted_last_is_not_behind_its_equals() -> None:
    """Sixty-four names on two photos of a product are counted before one on a single photo, and all tie."""
    first, *others = NAMES[: BITS + 1]
    counter = FacetCounter(FacetNames(VOCABULARY), [[first], others])

    facets = counter.of_products(np.array([0, 1, 1]), np.array([0, 1]), limit=2)

    assert [(facet.keyword, facet.count) for facet in facets] == [(first, 1), (others[0], 1)]


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_no_facet_stands_beside_its_own_plural(language: str) -> None:
    vocabulary, names = Vocabulary.load(), {}
    for keyword in vocabulary.emitted:
        names[keyword.id] = fold(keyword.name(language))
    narrower_and_broader = [
        (name, names[above]) for word, name in names.items() for above in vocabulary.ancestors(word) if above in names
    ]

    assert len(narrower_and_broader) > 100
    assert [pair for pair in narrower_and_broader if pair[1] in {pair[0] + ending for ending in PLURAL_ENDINGS}] == []
