"""AND, OR and NOT of sorted rows are those of sets, however many rows there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from results_sink.search.grouped import Grouped
from results_sink.search.hits import Algebra, Hits

found = st.dictionaries(st.integers(0, 39), st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 1.0]), max_size=40)
sizes = st.sampled_from([40, 100_000])  # small hits among few images, and among very many


def hits(scores: dict[int, float]) -> Hits:
    """Return the hits with these scores by row."""
    rows = sorted(scores)
    return Hits(np.array(rows, np.int64), np.array([scores[row] for row in rows], np.float64))


def plain(answer: Hits) -> dict[int, float]:
    """Return the scores by row, which must stand in order."""
    rows = answer.rows.tolist()
    assert rows == sorted(set(rows))
    return dict(zip(rows, answer.scores.tolist(), strict=True))


@given(st.lists(found, max_size=4), sizes)
def test_a_union_has_the_highest_scores(parts: list[dict[int, float]], images: int) -> None:
    expected: dict[int, float] = {}
    for part in parts:
        expected |= {row: max(score, expected.get(row, 0)) for row, score in part.items()}

    assert plain(Algebra(images).union([hits(part) for part in parts])) == expected


@given(found, found, sizes)
def test_an_intersection_has_the_lower_scores(one: dict[int, float], other: dict[int, float], images: int) -> None:
    expected = {row: min(one[row], other[row]) for row in one.keys() & other.keys()}

    assert plain(Algebra(images).intersection(hits(one), hits(other))) == expected


@given(found, found, sizes)
def test_a_difference_keeps_the_first_scores(one: dict[int, float], other: dict[int, float], images: int) -> None:
    expected = {row: one[row] for row in one.keys() - other.keys()}

    assert plain(Algebra(images).difference(hits(one), hits(other))) == expected


@given(found, found, found)
def test_the_scratch_is_clean_after_each_operation(
    a: dict[int, float], b: dict[int, float], c: dict[int, float]
) -> None:
    algebra = Algebra(40)
    algebra.union([hits(a), hits(b)])
    algebra.intersection(hits(a), hits(b))
    algebra.difference(hits(a), hits(b))

    assert plain(algebra.union([hits(c), hits(c)])) == c


@given(found, st.integers(0, 45))
def test_the_best_come_first_and_level_ones_by_row(scores: dict[int, float], limit: int) -> None:
    best = hits(scores).best(limit)

    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit]
    assert list(zip(best.rows.tolist(), best.scores.tolist(), strict=True)) == ranked


@given(found, st.integers(0, 12))
def test_each_group_is_shown_by_its_best(scores: dict[int, float], limit: int) -> None:
    all_hits = hits(scores)
    groups = all_hits.rows * 7 % 5
    grouped = Grouped.of(all_hits, groups)
    expected: dict[int, float] = {}
    for row, score in scores.items():
        expected[row * 7 % 5] = max(score, expected.get(row * 7 % 5, 0.0))
    best = grouped.best(limit)

    assert len(grouped) == len(expected)
    assert best.scores.tolist() == sorted(expected.values(), reverse=True)[:limit]
    assert [scores[row] for row in best.rows.tolist()] == best.scores.tolist()
    assert len({row * 7 % 5 for row in best.rows.tolist()}) == len(best.rows)


@pytest.mark.parametrize("least", [0.0, 0.5, 1.0])
def test_at_least_keeps_a_score_that_is_just_enough(least: float) -> None:
    assert plain(hits({1: 0.0, 2: 0.5, 3: 1.0}).at_least(least)) == {
        row: score for row, score in {1: 0.0, 2: 0.5, 3: 1.0}.items() if score >= least
    }


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.integers(0, 30)), max_size=400),
    st.integers(0, 12),
)
@example([(0.9, 0)] * 50 + [(0.5, group) for group in range(1, 11)], 3)
@example([(0.9, 0)] * 30 + [(0.9, 1)] + [(0.5, group) for group in range(2, 31)], 3)
def test_the_best_of_many_groups_are_those_of_all(images: list[tuple[float, int]], limit: int) -> None:
    """Also where the best images are of few groups, and where very many scores are level."""
    images.sort(key=lambda each: each[1])
    all_hits = hits({row: score for row, (score, _) in enumerate(images)})
    best = Grouped.of(all_hits, np.array([group for _, group in images], np.int64)).best(limit)
    expected: dict[int, tuple[float, int]] = {}
    for row, (score, group) in enumerate(images):
        expected[group] = max(expected.get(group, (-1.0, 0)), (score, -row))

    ranked = sorted(expected.values(), reverse=True)[:limit]
    assert [(score, -row) for score, row in zip(best.scores.tolist(), best.rows.tolist(), strict=True)] == ranked
