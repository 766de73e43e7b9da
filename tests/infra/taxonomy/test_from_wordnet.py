"""The committed taxonomy is what WordNet and the edits make."""

import pytest
from click.testing import CliRunner

from infra.taxonomy.from_wordnet import TAXONOMY, edited, in_tree_order, inherit_not_goods, taxonomy, taxonomy_text
from infra.taxonomy.rows import TaxonomyRow
from infra.taxonomy.wordnet import DATA_NOUN, parse_synset
from pipeline.errors import CallerError

SHOE = "04199027 06 n 01 shoe 0 003 @ 03380867 n 0000 + 0 v 0101 ~ 02904927 n 0000 | footwear shaped to fit the foot"


@pytest.mark.skipif(not DATA_NOUN.exists(), reason="WordNet 3.0 (Debian's wordnet-base) is not installed")
def test_the_committed_file_is_generated():
    assert TAXONOMY.read_text(encoding="utf-8") == taxonomy_text(DATA_NOUN)


def test_a_line_of_wordnet_says_words_and_parents():
    synset = parse_synset(SHOE)
    assert (synset.id, synset.words, synset.parents) == ("n04199027", ("shoe",), ("n03380867",))


def test_an_edit_replaces_or_leaves():
    rows = {"n1": TaxonomyRow("n1", parents="n0", use="through", en="entity")}
    result = edited(rows, [TaxonomyRow("n1", parents="n0|shop-x", en="thing")])["n1"]
    assert (result.parents, result.en, result.use) == ("n0|shop-x", "thing", "through")


def test_a_node_that_wordnet_lacks_is_a_keyword_of_our_own():
    assert edited({}, [TaxonomyRow("shop-x", en="x")])["shop-x"].use == "keyword"


def test_one_node_is_edited_once():
    with pytest.raises(CallerError, match="edits n1 twice"):
        edited({}, [TaxonomyRow("n1"), TaxonomyRow("n1")])


def test_a_node_follows_all_its_parents():
    rows = {row.id: row for row in (TaxonomyRow("c", "a|b"), TaxonomyRow("a"), TaxonomyRow("b", "a"))}
    assert [row.id for row in in_tree_order(rows)] == ["a", "b", "c"]


def test_what_lies_below_no_goods_is_no_goods_unless_it_is_said_to_be():
    rows = {
        row.id: row
        for row in (
            TaxonomyRow("animal", use="not_goods"),
            TaxonomyRow("dog", "animal", use="through"),
            TaxonomyRow("toy dog", "animal", use="keyword"),
        )
    }
    assert [row.use for row in inherit_not_goods(rows).values()] == ["not_goods", "not_goods", "keyword"]


def test_a_missing_wordnet_is_said_in_one_line(tmp_path):
    result = CliRunner().invoke(
        taxonomy, ["--data-noun", str(tmp_path / "data.noun"), "--out", str(tmp_path / "out.csv")]
    )
    assert isinstance(result.exception, CallerError)
    assert "wordnet-base" in str(result.exception)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.skipif(not DATA_NOUN.exists(), reason="WordNet 3.0 (Debian's wordnet-base) is not installed")
def test_the_script_writes_the_file(tmp_path):
    result = CliRunner().invoke(taxonomy, ["--out", str(tmp_path / "out.csv")])
    assert result.exit_code == 0
    assert (tmp_path / "out.csv").read_bytes() == TAXONOMY.read_bytes()
