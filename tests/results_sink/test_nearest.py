"""Nearest vectors and pairs that may be duplicates, held against the plain way."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest

from pipeline.settings import starter_head_dir
from results_sink.search import duplicates as module
from results_sink.search.duplicates import LEAST_COSINE, NEIGHBOURS, alike_pairs, groups_of
from results_sink.search.nearest import VectorIndex, unit_rows
from results_sink.search.shared_words import HeadWords


def made(count: int, dimensions: int = 64, seed: int = 1) -> np.ndarray:
    """Return vectors in families, as photos of a shop are."""
    rng = np.random.default_rng(seed)
    families = rng.normal(size=(20, dimensions))
    values = families[rng.integers(0, 20, count)] + 0.5 * rng.normal(size=(count, dimensions))
    return np.rint(values / np.abs(values).max() * 127).astype(np.int8)


def plain_way(vectors: np.ndarray, query: np.ndarray, count: int) -> tuple[list[int], np.ndarray]:
    """Return the nearest rows and their cosines, by all cosines in double precision."""
    wide, query = vectors.astype(np.float64), query.astype(np.float64)
    cosines = (wide @ query) / np.linalg.norm(wide, axis=1).clip(1e-9) / np.linalg.norm(query)
    order = np.lexsort((np.arange(len(vectors)), -cosines))[:count]
    return order.tolist(), cosines[order]


@pytest.mark.parametrize("count", [1, 5, 50])
@pytest.mark.parametrize("is_rounded", [True, False])
def test_an_index_finds_exactly_what_the_plain_way_finds(count: int, is_rounded: bool) -> None:
    vectors = made(500)
    index = VectorIndex.of(vectors)

    for row in range(0, 500, 50):
        query = vectors[row].astype(np.float32)
        if not is_rounded:  # as the middle of a product's photos is none of the int8 levels
            query = (query + 0.37 * vectors[row - 1] + 0.011).astype(np.float32)
        rows, cosines = plain_way(vectors, query, count)
        neighbours = index.nearest(query, count)
        assert neighbours.rows.tolist() == rows
        assert neighbours.scores == pytest.approx(cosines, abs=1e-5)


def test_a_vector_is_nearest_to_itself_whatever_its_length() -> None:
    vectors = made(100)

    neighbours = VectorIndex.of(vectors).nearest(vectors[7].astype(np.float32) * 3, 1)

    assert neighbours.rows.tolist() == [7]
    assert neighbours.scores[0] == pytest.approx(1)


def test_more_are_asked_for_than_there_are_and_zeros_are_like_nothing() -> None:
    vectors = made(3)
    vectors[1] = 0
    query = vectors[0].astype(np.float32)

    assert sorted(VectorIndex.of(vectors).nearest(query, 10).rows.tolist()) == [0, 1, 2]
    assert 0 in VectorIndex.of(vectors).nearest(query, 10).scores
    assert len(VectorIndex.of(vectors[:0]).nearest(query, 10).rows) == 0


def test_with_words_the_score_is_the_cosine_and_what_both_are_taken_for() -> None:
    rng = np.random.default_rng(2)
    head = HeadWords(rng.normal(size=(64, 5)).astype(np.float32) * 4, rng.normal(size=5).astype(np.float32))
    vectors, query = made(300), rng.normal(size=64).astype(np.float32)

    def roots(rows: np.ndarray) -> np.ndarray:
        powers = np.exp(unit_rows(rows) @ head.coefficients + head.bias)
        return np.sqrt(powers / powers.sum(axis=1, keepdims=True))

    expected = (unit_rows(vectors) @ unit_rows(query[None])[0]) * 0.7 + (roots(vectors) @ roots(query[None])[0]) * 0.3
    neighbours = VectorIndex.of(vectors, head).nearest(query, 300)

    assert neighbours.scores == pytest.approx(expected[neighbours.rows], abs=0.003)  # int8 has 127 levels
    assert list(neighbours.scores) == sorted(neighbours.scores, reverse=True)
    few = VectorIndex.of(vectors, head).nearest(query, 7)
    assert few.rows.tolist() == neighbours.rows[:7].tolist()
    itself = VectorIndex.of(vectors, head).nearest(vectors[9].astype(np.float32), 1)
    assert (itself.rows.tolist(), itself.scores.tolist()) == ([9], pytest.approx([1]))


def test_the_built_in_head_speaks_of_vectors_of_its_own_space_alone() -> None:
    card = json.loads((starter_head_dir() / "card.json").read_text())

    head = HeadWords.load(card["space"])
    assert head is not None
    assert head.levels(np.eye(256, dtype=np.float32)[:3]).shape == (3, len(card["words"]) + 1)
    assert HeadWords.load("f" * 12) is None


def exact_pairs(vectors: np.ndarray, count: int) -> set[tuple[int, int]]:
    """Return the pairs of each vector with its nearest others, by all cosines."""
    units = unit_rows(vectors)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -1)
    nearest_rows = np.argsort(-cosines, axis=1)[:, :count]
    return {
        (min(row, other), max(row, other))
        for row, others in enumerate(nearest_rows.tolist())
        for other in others
        if cosines[row, other] >= LEAST_COSINE
    }


def test_where_every_list_is_probed_the_most_alike_of_each_photo_are_found_exactly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LIST_ROWS", 20)  # so that pairs lie across lists
    monkeypatch.setattr(module, "BLOCK_ROWS", 7)  # and lists across blocks
    vectors = made(300)

    pairs = list(alike_pairs(vectors))

    assert {tuple(sorted(pair)) for pair in pairs} == exact_pairs(vectors, NEIGHBOURS)
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) > 1_000


def test_where_a_fiftieth_of_the_lists_is_probed_copies_are_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_ROWS", 12)
    monkeypatch.setattr(module, "PROBED_LISTS", 4)  # of 200
    rng = np.random.default_rng(3)
    originals = made(1_200)
    units = unit_rows(originals)
    noise = unit_rows(rng.normal(size=units.shape).astype(np.float32))
    copies = np.rint(unit_rows(units + 0.6 * noise) * 254).clip(-127, 127).astype(np.int8)  # cosine about .86

    pairs = {tuple(sorted(pair)) for pair in alike_pairs(np.concatenate([originals, copies]))}

    exact = exact_pairs(np.concatenate([originals, copies]), NEIGHBOURS)
    wanted = {(row, row + 1_200) for row in range(1_200)} & exact
    assert len(wanted) > 1_150
    assert len(wanted & pairs) >= 0.98 * len(wanted)


def test_pairs_of_photos_that_are_alike_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_ROWS", 50)
    rng = np.random.default_rng(4)
    pairs = list(alike_pairs(rng.permutation(made(2_000))))

    def opened(pairs: list[tuple[int, int]]) -> int:
        """Return how many photos are opened if the last 256 are kept."""
        read = lru_cache(256)(lambda _row: None)
        for pair in pairs:
            for row in pair:
                read(row)
        return read.cache_info().misses

    assert opened(pairs) < 2 * 2_000
    assert opened(rng.permutation(pairs).tolist()) > 5 * 2_000


def test_many_copies_of_one_photo_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_ROWS", 10)
    monkeypatch.setattr(module, "PROBED_LISTS", 2)
    vectors = np.concatenate([made(200), np.repeat(made(1, seed=5), 100, axis=0), np.zeros((3, 64), np.int8)])

    groups = groups_of(alike_pairs(vectors), len(vectors), always)

    assert any(set(range(200, 300)) <= set(group) for group in groups)
    assert all(row not in group for row in (300, 301, 302) for group in groups)


def test_no_pair_comes_of_one_photo_or_none() -> None:
    assert list(alike_pairs(made(1))) == []
    assert list(alike_pairs(made(1)[:0])) == []


def always(_left: int, _right: int) -> bool:
    return True


def test_pairs_that_share_a_photo_make_one_group() -> None:
    assert groups_of([(3, 1), (1, 0), (4, 5)], 7, always) == [(0, 1, 3), (4, 5)]
    assert groups_of([], 3, always) == []
    assert groups_of([(0, 1), (1, 2)], 3, lambda left, _right: left == 1) == [(1, 2)]


def test_photos_that_are_in_one_group_are_not_compared_again() -> None:
    compared: list[tuple[int, int]] = []

    def are_same(left: int, right: int) -> bool:
        compared.append((left, right))
        return True

    assert groups_of([(0, 1), (1, 2), (0, 2), (2, 1)], 3, are_same) == [(0, 1, 2)]
    assert compared == [(0, 1), (1, 2)]
