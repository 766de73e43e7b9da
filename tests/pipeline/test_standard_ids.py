"""Keywords carry the ids of product taxonomies that others publish, each its own or that of what is above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from pipeline.keywords import TAXONOMY_PATH, Vocabulary
from pipeline.standard_ids import REVIEWED_PATH, Standard, StandardIds
from tests.results_sink.small_shop import small_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

GOOGLE, SHOPIFY = Standard.GOOGLE, Standard.SHOPIFY


@pytest.fixture(scope="module")
def ours() -> Vocabulary:
    return Vocabulary.load(TAXONOMY_PATH)


def test_a_keyword_has_its_own_category_or_the_nearest_above_it() -> None:
    ids = StandardIds({"footwear": {GOOGLE: "187"}, "boot": {SHOPIFY: "aa-8-3"}})
    vocabulary = small_vocabulary()

    assert ids.of("cowboy-boot", GOOGLE, vocabulary) == "187"
    assert ids.of("cowboy-boot", SHOPIFY, vocabulary) == "aa-8-3"
    assert ids.of("footwear", SHOPIFY, vocabulary) is None
    assert ids.of("gone-from-the-taxonomy", GOOGLE, vocabulary) is None


def test_a_dash_ends_the_search_above() -> None:
    ids = StandardIds({"footwear": {GOOGLE: "187"}, "boot": {GOOGLE: "-"}})

    assert ids.of("cowboy-boot", GOOGLE, small_vocabulary()) is None


def test_the_reviewed_file_names_our_keywords_alone(ours: Vocabulary) -> None:
    emitted = {keyword.id for keyword in ours.emitted}

    assert StandardIds.load().by_keyword.keys() - emitted == set()


@pytest.mark.parametrize("standard", list(Standard))
def test_nineteen_of_twenty_keywords_have_a_category_of_each_taxonomy(ours: Vocabulary, standard: Standard) -> None:
    ids = StandardIds.load()
    without = [keyword.name() for keyword in ours.emitted if ids.of(keyword.id, standard, ours) is None]

    assert len(without) < 0.05 * len(ours.emitted), without


@pytest.mark.parametrize(
    ("keyword", "google", "shopify"),
    [
        ("boot", "187", "aa-8-3"),
        ("running shoe", "187", "aa-8-1"),
        ("jeans", "204", "aa-1-12-4"),
        ("sofa", "460", "fr-22"),
    ],
)
def test_what_a_shop_sells_most_is_mapped(ours: Vocabulary, keyword: str, google: str, shopify: str | None) -> None:
    [keyword_id] = [node.id for node in ours.emitted if node.name() == keyword]
    ids = StandardIds.load()

    assert (ids.of(keyword_id, GOOGLE, ours), ids.of(keyword_id, SHOPIFY, ours)) == (google, shopify)


def test_a_shops_own_file_lies_over_the_reviewed_one(tmp_path: Path, ours: Vocabulary) -> None:
    own = tmp_path / "same_as.csv"
    own.write_text("id,shopify\nn04256520,fr-24\n")  # sofa

    ids = StandardIds.load(own)

    assert (ids.of("n04256520", GOOGLE, ours), ids.of("n04256520", SHOPIFY, ours)) == ("460", "fr-24")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("id,google\nboot,Shoes\n", "same_as.csv, line 2, column google: 'Shoes' is not an id of Google's taxonomy"),
        ("id,shopify\nboot,AA-1\n", "line 2, column shopify: 'AA-1' is not an id of Shopify's taxonomy"),
        ("id,google\n,187\n", "line 2, column id: is empty"),
        ("id,amazon\nboot,1\n", "amazon"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_its_cell(tmp_path: Path, text: str, mistake: str) -> None:
    own = tmp_path / "same_as.csv"
    own.write_text(text)

    with pytest.raises(CallerError, match=mistake):
        StandardIds.load(own)


def test_the_reviewed_file_is_sorted_and_says_nothing_twice() -> None:
    ids = [line.split(",")[0] for line in REVIEWED_PATH.read_text(encoding="utf-8").splitlines()[1:]]

    assert ids == sorted(set(ids))
