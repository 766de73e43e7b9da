"""Nearest vectors and pairs that may be duplicates, held against the plain way."""

from __future__ import annotations

import numpy as np
import pytest

from results_sink.search import duplicates as module
from results_sink.search.duplicates import BANDS, Likeness, duplicate_pairs, groups_of
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


def test_every_pair_that_may_be_the_same_is_found_once_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 32)  # so that pairs lie across blocks
    vectors = made(300)
    palettes = np.random.default_rng(2).integers(0, 60, (300, 15)).astype(np.uint8)
    bands = (Likeness(least_cosine=0.8, most_palette_distance=18), Likeness(least_cosine=0.6, most_palette_distance=17))

    pairs = [tuple(sorted(pair)) for pair in duplicate_pairs(vectors, palettes, bands)]

    units = unit_rows(vectors)
    apart = np.abs(palettes[:, None].astype(int) - palettes[None]).mean(axis=2)
    narrow, wide = ((units @ units.T >= band.least_cosine) & (apart <= band.most_palette_distance) for band in bands)
    within = narrow | wide
    assert (narrow & wide).sum() > 300 < within.sum()
    rows, columns = np.nonzero(np.triu(within, 1))
    assert len(rows) > 20
    assert sorted(pairs) == sorted(zip(rows.tolist(), columns.tolist(), strict=True))


def test_no_pair_comes_of_one_photo_or_none() -> None:
    palettes = np.zeros((1, 15), np.uint8)

    assert list(duplicate_pairs(made(1), palettes, BANDS)) == []
    assert list(duplicate_pairs(made(1)[:0], palettes[:0], BANDS)) == []


def test_pairs_that_share_a_photo_make_one_group() -> None:
    assert groups_of([(3, 1), (1, 0), (4, 5)], 7) == [(0, 1, 3), (4, 5)]
    assert groups_of([], 3) == []
