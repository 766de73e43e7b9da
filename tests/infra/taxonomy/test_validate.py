"""The validator finds what is wrong with a taxonomy, and nothing wrong with the one that is shipped."""

import pytest

from infra.heads.starter_words import starter_words
from infra.taxonomy.from_wordnet import CLASSES, TAXONOMY, class_ids
from infra.taxonomy.rows import TaxonomyRow, as_csv
from infra.taxonomy.validate import problems

ROOT = TaxonomyRow("root", use="through", en="thing")
SHOE = TaxonomyRow("shoe", "root", "keyword", "", "shoe", "Schuh", "chaussure", "zapato")
BOOT = TaxonomyRow("boot", "shoe", "keyword", "", "boot", "Stiefel", "botte", "bota")
DOG = TaxonomyRow("dog", "root", "not_goods", en="dog")


@pytest.fixture
def found(tmp_path):
    def of(*rows, classes):
        path = tmp_path / "taxonomy.csv"
        path.write_text(as_csv(rows), encoding="utf-8")
        return problems(path, classes)

    return of


def test_the_taxonomy_that_is_shipped_has_no_problem():
    assert problems(TAXONOMY, class_ids(CLASSES), list(starter_words().values())) == []


def test_a_taxonomy_without_fault_has_no_problem(found):
    assert found(ROOT, SHOE, BOOT, DOG, classes=["shoe", "boot", "dog"]) == []


def test_a_circle_and_an_orphan_are_found(found):
    assert (
        "own ancestor"
        in found(TaxonomyRow("a", "b", "through", en="a"), TaxonomyRow("b", "a", "through", en="b"), classes=[])[0]
    )
    assert "not in the taxonomy" in found(SHOE, classes=[])[0]


def test_a_class_that_leads_nowhere_is_found(found):
    lost = TaxonomyRow("lost", "root", "through", en="lost")
    assert found(ROOT, SHOE, lost, classes=["shoe", "lost", "unheard of"]) == [
        "lost (lost) leads to no keyword and is not not_goods",
        "unheard of is a class of the model but not in the taxonomy",
    ]


def test_a_keyword_that_no_class_leads_to_is_found(found):
    assert found(ROOT, SHOE, BOOT, classes=["shoe"]) == ["boot (boot) is a keyword that no class or head leads to"]


def test_a_missing_language_and_a_word_said_twice_are_found(found):
    row = TaxonomyRow("shoe", "root", "keyword", "", "shoe|Shoe", "Schuh", "", "zapato")
    assert found(ROOT, row, classes=["shoe"]) == [
        "shoe (shoe|Shoe) lists a word twice in en",
        "shoe (shoe|Shoe) has no word in fr",
    ]


def test_a_word_with_two_meanings_is_found_unless_a_note_says_so(found):
    trunk = TaxonomyRow("chest", "root", "keyword", "", "trunk", "Truhe", "malle", "baúl")
    swim = TaxonomyRow("swim", "root", "keyword", "", "Trunk", "Badehose", "slip", "bañador")
    noted = TaxonomyRow("swim", "root", "keyword", "", "Trunk", "Badehose", "slip", "bañador", "shares: chest")
    assert found(ROOT, trunk, swim, classes=["chest", "swim"]) == [
        "'trunk' (en) means chest and swim; no note says 'shares: ID'"
    ]
    assert found(ROOT, trunk, noted, classes=["chest", "swim"]) == []
