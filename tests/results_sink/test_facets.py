"""Facets are counted exactly, however many names there are."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keywords import Keyword, Use, Vocabulary
from results_sink.search.facets import Facets

NAMES = [f"word {number:03d}" for number in range(200)]
VOCABULARY = Vocabulary.of([Keyword(name, (), Use.KEYWORD, None, {"en": (name,)}) for name in NAMES], "words-1")
sets = st.lists(st.frozensets(st.sampled_from(NAMES), max_size=90), min_size=1, max_size=6)


images = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=30)
mostly_alone = st.lists(st.integers(0, 5), min_size=20, max_size=60).map(
    lambda codes: [(code, max(group, 3)) for group, code in enumerate(codes)]
)


@given(sets, st.one_of(images, mostly_alone), st.integers(1, 150))
def test_a_group_counts_once_for_each_name_of_its_images(sets: list[frozenset[str]], images: list, most: int) -> None:
    facets = Facets(VOCABULARY)
    facets.learn(["|".join(sorted(each)) for each in sets])
    images = sorted((group, code % len(sets)) for code, group in images)
    groups = np.array([group for group, _ in images], np.int64)
    codes = np.array([code for _, code in images], np.int32)
    expected: Counter[str] = Counter()
    for group in {group for group, _ in images}:
        expected.update(frozenset().union(*(sets[code] for other, code in images if other == group)))

    found = facets.of_groups(codes, np.flatnonzero(np.diff(groups, prepend=-1)), most)

    assert [(facet.count, facet.keyword) for facet in found] == [
        (count, name) for name, count in sorted(expected.items(), key=lambda each: (-each[1], each[0]))[:most]
    ]
