"""`vocabulary import` reads what Google and Shopify publish, and keeps ids of keywords whose names agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.cli import main
from infra.taxonomy.match_names import compare
from infra.taxonomy.standard_file import StandardFile
from pipeline.errors import CallerError
from pipeline.standard_ids import Standard, StandardIds
from tests.results_sink.small_shop import small_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

# Of our own making, in the form that each publisher documents.
GOOGLE = """\
# Google_Product_Taxonomy_Version: 2021-09-21
166 - Wear
187 - Wear > Shoes
901 - Wear > Shoes > Boots
902 - Wear > Shoes > Trainers
436 - Furniture
443 - Furniture > Chairs
903 - Furniture > Baskets
904 - Sports > Baskets
"""
SHOPIFY = """\
# Shopify Product Taxonomy - Categories: 2026-02
# Format: {GID} : {Ancestor name} > ... > {Category name}

gid://shopify/TaxonomyCategory/aa      : Wear
gid://shopify/TaxonomyCategory/aa-8    : Wear > Shoes
gid://shopify/TaxonomyCategory/aa-8-3  : Wear > Shoes > Boots
"""
SHOPIFY_JSON = json.dumps(
    {
        "version": "2026-02",
        "verticals": [
            {
                "name": "Wear",
                "prefix": "aa",
                "categories": [
                    {"id": "gid://shopify/TaxonomyCategory/aa", "level": 0, "full_name": "Wear"},
                    {"id": "gid://shopify/TaxonomyCategory/aa-8", "level": 1, "full_name": "Wear > Shoes"},
                    {"id": "gid://shopify/TaxonomyCategory/aa-8-3", "level": 2, "full_name": "Wear > Shoes > Boots"},
                ],
            }
        ],
    }
)


def read(folder: Path, text: str) -> StandardFile:
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return StandardFile.read(path)


def test_googles_file_is_read(tmp_path: Path) -> None:
    file = read(tmp_path, GOOGLE)

    assert (file.standard, file.version, len(file.paths)) == (Standard.GOOGLE, "2021-09-21", 8)
    assert file.paths["901"] == ("Wear", "Shoes", "Boots")


def test_both_of_shopifys_files_say_the_same(tmp_path: Path) -> None:
    file = read(tmp_path, SHOPIFY)

    assert (file.standard, file.version) == (Standard.SHOPIFY, "2026-02")
    assert file.paths == {"aa": ("Wear",), "aa-8": ("Wear", "Shoes"), "aa-8-3": ("Wear", "Shoes", "Boots")}
    assert read(tmp_path, SHOPIFY_JSON) == file


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "is no taxonomy: its first line must be"),
        ("id,name\n1,Shoes\n", "is no taxonomy"),
        (GOOGLE + "Shoes\n", "line 10: 'Shoes' is not an id and a category"),
        (SHOPIFY + "gid://shopify/TaxonomyCategory/9 : Shoes\n", "line 7: .* is not an id and a category"),
        ("{}", "is not Shopify's categories.json: KeyError"),
    ],
)
def test_another_file_is_refused_by_its_line(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(CallerError, match=mistake):
        read(tmp_path, text)


def test_a_name_counts_where_one_category_below_the_ancestors_has_it(tmp_path: Path) -> None:
    ids = StandardIds({"footwear": {Standard.GOOGLE: "187"}, "home": {Standard.GOOGLE: "436"}})

    coverage = compare(read(tmp_path, GOOGLE), ids, small_vocabulary())

    # A basket is matched below furniture, though the word stands on another shelf too; "trainer" names the sneaker.
    assert coverage.matched == {"boot": "901", "sneaker": "902", "chair": "443", "basket": "903"}


def test_a_name_of_two_shelves_finds_none_without_an_ancestor(tmp_path: Path) -> None:
    coverage = compare(read(tmp_path, GOOGLE), StandardIds({}), small_vocabulary())

    assert "basket" not in coverage.matched
    assert coverage.matched["footwear"] == "187"  # by its other word, "shoes"


def test_what_was_reviewed_is_not_matched_again_and_what_is_gone_is_named(tmp_path: Path) -> None:
    ids = StandardIds({"boot": {Standard.GOOGLE: "-"}, "chair": {Standard.GOOGLE: "999"}})

    coverage = compare(read(tmp_path, GOOGLE), ids, small_vocabulary())

    assert not coverage.matched.keys() & {"boot", "chair"}
    assert coverage.unknown == {"chair": "999"}


def test_the_command_keeps_matches_for_review_and_keeps_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))
    file = tmp_path / "categories.txt"
    more = ("fr : Furniture", "fr-99 : Furniture > Bottles")
    file.write_text(SHOPIFY + "".join(f"gid://shopify/TaxonomyCategory/{line}\n" for line in more))

    assert main(["vocabulary", "import", str(file), "--dry-run"]) == 1  # the file lacks nearly all that we map to
    assert not (tmp_path / "home").exists()
    main(["vocabulary", "import", str(file)])
    printed = capsys.readouterr().out
    kept = (tmp_path / "home" / "same_as.csv").read_text()
    assert "n02876657,,fr-99\n" in kept
    assert "Shopify, version 2026-02: 5 categories" in printed
    assert "bottle" in printed
    main(["vocabulary", "import", str(file), "--json"])

    assert json.loads(capsys.readouterr().out)["matched"] == {}
    assert (tmp_path / "home" / "same_as.csv").read_text() == kept
