"""Keywords: the tree, the words in each language, and files that contradict themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadTaxonomy
from pipeline.keywords import Keyword, Use, Vocabulary, fold
from tests.builders import vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "id,parents,use,threshold,en,de,fr,es\n"
CHAIR = "n1,,keyword,0.5,chair|seat,Stuhl,chaise,silla\n"
ROCKER = "n2,n1,keyword,,rocking chair,Schaukelstuhl,,\n"


def node(name: str, *parents: str, use: Use = Use.KEYWORD) -> Keyword:
    """Return a keyword whose id is its name."""
    return Keyword(name, parents, use, None, {"en": (name,), "de": (f"{name}-de",), "fr": (), "es": ()})


@pytest.fixture
def tree() -> Vocabulary:
    """Goods above chairs and shoes, and a rocking shoe below both."""
    return vocabulary_of(
        [
            node("goods", use=Use.THROUGH),
            node("chair", "goods"),
            node("shoe", "goods"),
            node("rocker", "shoe", "chair"),
            node("fox", use=Use.NOT_GOODS),
        ],
        "v1",
    )


def test_ancestors_come_nearest_first_and_once(tree: Vocabulary) -> None:
    assert tree.ancestors("rocker") == ("shoe", "chair", "goods")
    assert tree.ancestors("goods") == ()


def test_descendants_are_the_node_and_all_below_it(tree: Vocabulary) -> None:
    assert tree.descendants("chair") == {"chair", "rocker"}
    assert tree.descendants("goods") == {"goods", "chair", "shoe", "rocker"}


def test_only_what_a_photo_can_get_is_emitted_and_spelled(tree: Vocabulary) -> None:
    assert [keyword.id for keyword in tree.emitted] == ["chair", "shoe", "rocker"]
    assert tree.spelled("Chair") == ("chair",)
    assert tree.spelled("fox") == ()


def test_a_name_falls_back_to_the_first_language(tree: Vocabulary) -> None:
    assert tree.nodes["chair"].name("de") == "chair-de"
    assert tree.nodes["chair"].name("fr") == "chair"


@pytest.mark.parametrize("spelled", ["Café  Crème", "CAFÉ CRÈME", " cafe creme ", "cafe\u0301 cre\u0300me"])
def test_words_are_compared_without_case_accents_and_spaces(spelled: str) -> None:
    assert fold(spelled) == "cafe creme"


def written(folder: Path, text: str) -> Path:
    """Return a taxonomy file of that text."""
    path = folder / "taxonomy.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_vocabulary_whose_version_names_its_content(tmp_path: Path) -> None:
    vocabulary = Vocabulary.load(written(tmp_path, HEADER + CHAIR + ROCKER))
    again = Vocabulary.load(written(tmp_path, HEADER + CHAIR + ROCKER))
    other = Vocabulary.load(written(tmp_path, HEADER + CHAIR))

    assert vocabulary.nodes["n1"].threshold == 0.5
    assert vocabulary.nodes["n2"].parents == ("n1",)
    assert vocabulary.spelled("SEAT") == ("n1",)
    assert len(vocabulary.version) == 12
    assert again.version == vocabulary.version
    assert other.version != vocabulary.version


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEADER + CHAIR + CHAIR, "line 3, column id: n1 appears twice"),
        (HEADER + ROCKER, "line 2, column parents: n1 is named as a parent, but is not in the taxonomy"),
        (HEADER + "n1,n2,keyword,,a,,,\nn2,n1,keyword,,b,,,\n", "line 2, column parents: n1 is its own ancestor"),
        (HEADER + "n1,,keyword,1.5,a,,,\n", r"line 2, column threshold: 1\.5 is not in \[0, 1\]"),
        (HEADER + "n1,,keyword,high,a,,,\n", "line 2, column threshold: 'high' is not a number"),
        (HEADER + "n1,,sometimes,,a,,,\n", "line 2, column use: 'sometimes' is not one of keyword, fallback, through"),
        (HEADER + "n1,,keyword,,,Stuhl,,\n", "line 2, column en: n1 has no English word"),
        (HEADER + ",,keyword,,a,,,\n", "line 2, column id: is empty"),
        (HEADER + CHAIR + "n2,n1\n", "line 3: has 2 cells where the first line has 8"),
        ("id,parents\nn1,\n", "line 1: there is no column use"),
        (
            "id,parents,use,threshold,English\nn1,,keyword,,a\n",
            "line 1: the column 'English' is neither one of id, parents",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadTaxonomy, match=complaint):
        Vocabulary.load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTaxonomy, match=r"nowhere\.csv cannot be read: No such file"):
        Vocabulary.load(tmp_path / "nowhere.csv")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.csv"
    path.write_bytes(HEADER.encode() + "n1,,keyword,,Schläger,,,\n".encode("latin-1"))

    with pytest.raises(BadTaxonomy, match="is not UTF-8"):
        Vocabulary.load(path)


# ---- a shop's own file over it ---------------------------------------------------------------------------------------


@pytest.fixture
def overlaid(tmp_path: Path) -> Callable[[str], Vocabulary]:
    """Load a taxonomy of two nodes with this text over it."""

    def overlaid(text: str) -> Vocabulary:
        overlay = tmp_path / "overlay.csv"
        overlay.write_text(text, encoding="utf-8")
        return Vocabulary.load(written(tmp_path, HEADER + CHAIR + ROCKER), overlay)

    return overlaid


def test_a_shop_renames_and_sets_thresholds_and_everything_else_stays(overlaid) -> None:
    vocabulary = overlaid("id,threshold,en\nn2,0.9,rocker\n")

    assert vocabulary.nodes["n2"].name() == "rocker"
    assert vocabulary.nodes["n2"].threshold == 0.9
    assert vocabulary.nodes["n2"].parents == ("n1",)
    assert vocabulary.nodes["n1"].words["en"] == ("chair", "seat")
    assert vocabulary.spelled("rocking chair") == ()


def test_a_shop_adds_words_and_empties_cells(overlaid) -> None:
    vocabulary = overlaid("id,threshold,en,de\nn1,-,+ stool | perch,-\n")

    assert vocabulary.nodes["n1"].words["en"] == ("chair", "seat", "stool", "perch")
    assert vocabulary.nodes["n1"].words["de"] == ()
    assert vocabulary.nodes["n1"].threshold is None


def test_a_shop_brings_its_own_language(overlaid) -> None:
    vocabulary = overlaid("id,it,pt-BR\nn1,sedia|seggiola,\nn2,,cadeira de balan\u00e7o\n")

    assert vocabulary.languages == ("en", "de", "fr", "es", "it", "pt-BR")
    assert vocabulary.spelled("SEDIA") == ("n1",)
    assert vocabulary.nodes["n1"].name("it") == "sedia"
    assert vocabulary.nodes["n2"].name("it") == "rocking chair"
    assert vocabulary.spelled("cadeira de balanco") == ("n2",)


def test_a_shop_adds_a_node_of_its_own(overlaid) -> None:
    vocabulary = overlaid("id,parents,use,en\nshop-sit,,keyword,things to sit on\nn1,shop-sit,,\n")

    assert vocabulary.ancestors("n2") == ("n1", "shop-sit")


def test_the_shops_file_is_part_of_the_version(overlaid, tmp_path: Path) -> None:
    bare = Vocabulary.load(written(tmp_path, HEADER + CHAIR + ROCKER))
    one, other = overlaid("id,en\nn1,stool\n"), overlaid("id,en\nn1,perch\n")

    assert len({bare.version, one.version, other.version}) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "id,en\nn9,thing\n",
            r"overlay\.csv, line 2, column id: n9 is not in the taxonomy; the id of a node of your own",
        ),
        ("id,en\nn1,a\nn1,b\n", r"overlay\.csv, line 3, column id: n1 appears twice"),
        ("id,threshold\nn2,2\n", r"overlay\.csv, line 2, column threshold: 2 is not in \[0, 1\]"),
        ("id,parents\nn1,n2\n", r"overlay\.csv, line 2, column parents: n1 is its own ancestor"),
        ("id,parents\nn1,n7\n", r"overlay\.csv, line 2, column parents: n7 is named as a parent"),
        ("id,en\nn1,-\n", r"overlay\.csv, line 2, column en: n1 has no English word"),
        ("id,parents,use\nshop-x,,keyword\n", r"overlay\.csv, line 2, column en: shop-x has no English word"),
        ("id,treshold\nn1,1\n", r"overlay\.csv, line 1: the column 'treshold' is neither one of id, parents"),
        ("en\nstool\n", r"overlay\.csv, line 1: there is no column id"),
    ],
)
def test_a_mistake_in_the_shops_file_is_said_by_its_line_and_column(overlaid, text: str, complaint: str) -> None:
    with pytest.raises(BadTaxonomy, match=complaint):
        overlaid(text)


def test_the_shops_file_is_found_where_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "mine.csv"
    overlay.write_text("id,it\nn04120489,scarpa da corsa\n", encoding="utf-8")
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(overlay))

    assert Vocabulary.load().spelled("scarpa da corsa") == ("n04120489",)

    monkeypatch.setenv("TAXONOMY_OVERLAY", str(tmp_path / "nowhere.csv"))
    with pytest.raises(BadTaxonomy, match="cannot be read"):
        Vocabulary.load()
