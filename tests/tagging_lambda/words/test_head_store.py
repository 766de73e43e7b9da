"""Heads lie in folders, replace each other, and are fetched by the hash of what was published."""

from __future__ import annotations

import pytest

from pipeline.errors import BadModel, CallerError
from pipeline.folder import FolderFiles
from pipeline.model_version import CARD_NAME
from tagging_lambda.words.head_store import SET_NAME, InstalledHeads, fetch_heads, publish
from tagging_lambda.words.heads import WEIGHTS_NAME, Head, vocabulary_with
from tagging_lambda.words.train import TrainingPlan, train_head
from tests.tagging_lambda.words.shop import SPACE, VOCABULARY, examples


@pytest.fixture(scope="module")
def heads() -> list[Head]:
    """Two heads of one name that learned from other photos."""
    plan = TrainingPlan("shop", SPACE)
    return [train_head(examples(seed=seed), plan, VOCABULARY).head for seed in (1, 2)]


@pytest.fixture
def installed(tmp_path) -> InstalledHeads:
    return InstalledHeads(tmp_path / "heads")


def test_a_head_is_the_same_from_its_folder(installed, heads):
    folder = installed.install("shop", heads[0])
    assert Head.load(folder).card == heads[0].card
    assert (Head.load(folder).coefficients == heads[0].coefficients).all()
    assert installed.names == ("shop",)


def test_a_head_that_was_replaced_comes_back_and_goes_again(installed, heads):
    for head in heads:
        installed.install("shop", head)
    assert installed.roll_back("shop").card == heads[0].card
    assert installed.load()[0].card == heads[0].card
    installed.roll_back("shop")
    assert installed.load()[0].card == heads[1].card


def test_the_same_head_again_replaces_nothing(installed, heads):
    installed.install("shop", heads[0])
    installed.install("shop", heads[0])
    with pytest.raises(CallerError, match="replaced no other"):
        installed.roll_back("shop")


def test_a_removed_head_is_gone(installed, heads):
    installed.install("shop", heads[0])
    installed.remove("shop")
    with pytest.raises(CallerError, match="no head is called 'shop'; installed: none"):
        installed.load(["shop"])


def test_a_head_is_named_by_its_folder_as_well(installed, heads, tmp_path):
    heads[0].save(tmp_path / "elsewhere")
    assert installed.load([str(tmp_path / "elsewhere")])[0].card == heads[0].card


@pytest.mark.parametrize("name", ["starter", "", "../x", "A", "x" * 33])
def test_a_name_that_no_head_can_have_is_refused(installed, heads, name):
    with pytest.raises(CallerError, match="no name of a head"):
        installed.install(name, heads[0])


def test_the_heads_that_ship_speak_after_the_shops_own(tmp_path, heads):
    heads[0].save(tmp_path / "ships")
    installed = InstalledHeads(tmp_path / "heads", tmp_path / "ships")
    installed.install("a", heads[1])
    assert installed.names == ("a", "starter")
    assert [head.card for head in installed.load()] == [heads[1].card, heads[0].card]


def test_what_is_published_is_fetched_by_its_hash(installed, heads, tmp_path):
    files, folder = FolderFiles(tmp_path / "bucket"), installed.install("shop", heads[0])
    address = f"s3://bucket/heads/{publish([folder], files)}"
    published = FolderFiles(tmp_path / "bucket" / address.rpartition("/")[2])
    fetched = fetch_heads(address, lambda _: published, tmp_path / "cache")
    assert [head.card for head in fetched] == [heads[0].card]
    again = fetch_heads(address, lambda _: published, tmp_path / "cache")
    assert [head.card for head in again] == [heads[0].card]


@pytest.mark.parametrize("name", [SET_NAME, CARD_NAME, WEIGHTS_NAME])
def test_what_was_replaced_behind_its_hash_is_refused(installed, heads, tmp_path, name):
    files, folder = FolderFiles(tmp_path / "bucket"), installed.install("shop", heads[0])
    address = f"s3://bucket/heads/{publish([folder], files)}"
    published = FolderFiles(tmp_path / "bucket" / address.rpartition("/")[2])
    [stored] = [path for path in files.names() if path.endswith(name)]
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    files.write(stored, other)
    with pytest.raises(BadModel, match="damaged"):
        fetch_heads(address, lambda _: published, tmp_path / "cache")


def test_an_address_without_a_hash_is_refused(tmp_path):
    with pytest.raises(BadModel, match="does not end with a hash"):
        fetch_heads("s3://bucket/heads", lambda _: FolderFiles(tmp_path), tmp_path)


def test_weights_that_are_not_the_cards_are_refused(installed, heads):
    folder = installed.install("shop", heads[0])
    (folder / WEIGHTS_NAME).write_bytes(b"no weights")
    with pytest.raises(BadModel, match=r"weights\.npz is damaged"):
        Head.load(folder)


def test_a_card_that_is_none_is_refused(installed, heads):
    folder = installed.install("shop", heads[0])
    (folder / CARD_NAME).write_text('{"name": "shop"}')
    with pytest.raises(BadModel, match="is not a head card"):
        Head.load(folder)


def test_words_that_the_vocabulary_lacks_come_with_the_head(heads):
    nodes = {word: node for word, node in VOCABULARY.nodes.items() if word != "boot"}
    smaller = type(VOCABULARY)(nodes, "smaller", VOCABULARY.languages)
    larger = vocabulary_with(smaller, heads)
    assert (larger.nodes["boot"].name(), larger.nodes["boot"].name("de")) == ("boot", "Stiefel")
    assert larger.ancestors("boot") == ("footwear", "clothing", "fashion")
    assert vocabulary_with(VOCABULARY, heads) is VOCABULARY


def test_the_shops_own_heads_leave_out_the_one_that_ships(tmp_path, heads):
    heads[0].save(tmp_path / "ships")
    installed = InstalledHeads(tmp_path / "heads", tmp_path / "ships")
    installed.install("a", heads[1])
    assert installed.own_names == ("a",)
