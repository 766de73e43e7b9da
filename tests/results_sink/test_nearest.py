"""Nearest vectors and pairs that may be duplicates, held against the plain way."""

from __future__ import annotations

import numpy as np
import pytest

from results_sink.search import duplicates as module
from results_sink.search.duplicates import LEAST_COSINE, NEIGHBOURS, alike_pairs, groups_of
from results_sink.search.nearest import VectorIndex, nearest, unit_rows


def made(count: int, dimensions: int = 64, seed: int = 1) -> np.ndarray:
    """Return vectors in families, as photos of a shop are."""
    rng = np.random.default_rng(seed)
    families = rng.normal(size=(20, dimensions))
    values = families[rng.integers(0, 20, count)] + 0.5 * rng.normal(size=(count, dimensions))
    return np.rint(values / np.abs(values).max() * 127).astype(np.int8)


@pytest.mark.parametrize("count", [1, 5, 50])
def test_an_index_finds_exactly_what_the_plain_way_finds(count: int) -> None:
    vectors = made(500)
    index = VectorIndex.of(vectors, 8)

    for row in range(0, 500, 50):
        query = vectors[row].astype(np.float32)
        plain, found = nearest(vectors, query, count), index.nearest(query, count)
        assert found.rows.tolist() == plain.rows.tolist()
        assert found.cosines == pytest.approx(plain.cosines, abs=1e-5)


def test_a_vector_is_nearest_to_itself_whatever_its_length() -> None:
    vectors = made(100)

    found = nearest(vectors, vectors[7].astype(np.float32) * 3, 1)

    assert found.rows.tolist() == [7]
    assert found.cosines[0] == pytest.approx(1)


def test_more_are_asked_for_than_there_are() -> None:
    vectors = made(3)

    assert len(nearest(vectors, vectors[0].astype(np.float32), 10).rows) == 3
    assert len(VectorIndex.of(vectors).nearest(vectors[0].astype(np.float32), 10).rows) == 3
    assert len(nearest(vectors[:0], vectors[0].astype(np.float32), 10).rows) == 0


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


def test_where_every_leaf_is_probed_the_most_alike_of_each_photo_are_found_exactly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LEAF_ROWS", 32)  # so that pairs lie across leaves
    vectors = made(300)

    pairs = list(alike_pairs(vectors))

    assert {tuple(sorted(pair)) for pair in pairs} == exact_pairs(vectors, NEIGHBOURS)
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) > 1_000


def test_where_few_leaves_are_probed_copies_are_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAF_ROWS", 20)
    monkeypatch.setattr(module, "PROBED_LEAVES", 6)
    originals = made(400)
    noise = np.random.default_rng(3).integers(-3, 4, originals.shape)
    copies = (originals.astype(int) + noise).clip(-127, 127).astype(np.int8)

    pairs = {tuple(sorted(pair)) for pair in alike_pairs(np.concatenate([originals, copies]))}

    assert sum((row, row + 400) in pairs for row in range(400)) >= 380


def test_no_pair_comes_of_one_photo_or_none() -> None:
    assert list(alike_pairs(made(1))) == []
    assert list(alike_pairs(made(1)[:0])) == []


def test_pairs_that_share_a_photo_make_one_group() -> None:
    assert groups_of([(3, 1), (1, 0), (4, 5)], 7) == [(0, 1, 3), (4, 5)]
    assert groups_of([], 3) == []
