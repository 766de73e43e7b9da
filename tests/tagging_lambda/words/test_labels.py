"""A shop's own labels are read from a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import CallerError
from pipeline.records import Decision, DecisionKind, TaggedImage
from tagging_lambda.words.labels import pinned_labels, read_labels
from tests.tagging_lambda.curate.conftest import AT, tagged
from tests.tagging_lambda.words.shop import VOCABULARY


@pytest.fixture
def labels(tmp_path):
    """Read the labels of photos in two folders."""
    for name in ("a.jpg", "b.jpg", "p1/c.jpg", "p1/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def read(text: str, below: str | None = None):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return read_labels(path, tmp_path, VOCABULARY, below)

    return read


def test_words_in_the_plural_and_in_any_language_name_the_taxonomys_keywords(labels):
    found = labels("file,keywords\na.jpg,boots\nb.jpg,Stiefel|shirts\np1/c.jpg,\n")
    assert [photo.keywords for photo in found.photos] == [{"boot"}, {"boot", "shirt"}, frozenset()]
    assert found.new_words == ()


def test_a_word_that_the_taxonomy_lacks_becomes_the_shops_own_below_what_its_last_word_names(labels):
    found = labels("file,keywords\na.jpg,rain boots\nb.jpg,Clogs\n")
    assert [(word.id, word.parents, word.name()) for word in found.new_words] == [
        ("shop-rain-boots", ("boot",), "rain boots"),
        ("shop-clogs", (), "Clogs"),
    ]
    assert found.vocabulary.ancestors("shop-rain-boots") == ("boot", "footwear", "clothing", "fashion")


def test_new_words_hang_where_they_are_told_to(labels):
    [word] = labels("file,keywords\na.jpg,Clogs\n", below="footwear").new_words
    assert word.parents == ("footwear",)


def test_a_word_above_another_one_on_the_same_photo_is_no_label_of_its_own(labels):
    assert labels("file,keywords\na.jpg,footwear|boot\n").photos[0].keywords == {"boot"}


def test_a_synonym_beside_the_keywords_first_word_is_a_word_of_its_own(labels):
    """Who tells ankle boots from boots means two things."""
    found = labels("file,keywords\na.jpg,boots\nb.jpg,bootee\np1/c.jpg,boot\n")
    assert [photo.keywords for photo in found.photos] == [{"boot"}, {"shop-bootee"}, {"boot"}]
    assert labels("file,keywords\nb.jpg,bootee\n").photos[0].keywords == {"boot"}


def test_photos_belong_together_by_a_column_or_by_their_folder(labels):
    by_column = labels("file,keywords,product\na.jpg,boot,1\nb.jpg,boot,1\np1/c.jpg,boot,\n")
    assert [photo.group for photo in by_column.photos] == ["1", "1", "p1/c.jpg"]
    by_folder = labels("file,keywords\na.jpg,boot\np1/c.jpg,boot\np1/d.jpg,boot\n")
    assert [photo.group for photo in by_folder.photos] == [".", "p1", "p1"]


def test_folders_that_sort_photos_by_word_are_no_products(labels):
    found = labels("file,keywords\na.jpg,boot\nb.jpg,boot\np1/c.jpg,shirt\np1/d.jpg,shirt\n")
    assert [photo.group for photo in found.photos] == ["a.jpg", "b.jpg", "p1/c.jpg", "p1/d.jpg"]


def test_a_word_with_several_senses_means_what_the_others_are_about(labels):
    """A mule is a shoe among shoes, and an animal among animals."""
    assert labels("file,keywords\na.jpg,boots\nb.jpg,mule\n").photos[1].keywords == {"mule-shoe"}
    with pytest.raises(CallerError, match="line 2, column keywords: 'mule' names several keywords"):
        labels("file,keywords\na.jpg,mule\n")


def test_a_tagged_photo_is_named_by_its_address(labels):
    [photo] = labels("image,keywords\ns3://shop/boots/1.jpg,boot\n").photos
    assert photo.source == "s3://shop/boots/1.jpg"


def test_a_photo_is_named_as_an_export_of_local_photos_names_it(labels, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "böot #1.jpg"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"photo")

    [photo] = labels(f"image,keywords\nfile://{elsewhere},boot\n").photos

    assert photo.source == elsewhere


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.jpg\n", "there is no column keywords"),
        ("photo,keywords\na.jpg,boot\n", "it needs file or image, and keywords"),
        ("file,keywords\nc.jpg,boot\n", r"line 2, column file: there is no file .*c\.jpg"),
        ("file,keywords\na.jpg,boot\na.jpg,shirt\n", r"line 3, column file: a\.jpg stands twice; line 2 names it"),
        ("file,keywords\na.jpg,!!\n", "cannot become a keyword"),
        ("file,keywords\n", "names no photo"),
    ],
)
def test_a_mistake_is_said_by_line_and_column(labels, text, message):
    with pytest.raises(CallerError, match=message):
        labels(text)


def pinned(key: str, *keywords: str, kind: DecisionKind = DecisionKind.PIN, **observation: object) -> TaggedImage:
    """Return the record of a photo about which people decided these keywords."""
    decisions = tuple(Decision(keyword, kind, AT) for keyword in keywords)
    return replace(tagged(key, **observation), decisions=decisions)


def test_what_people_pinned_labels_tagged_photos():
    labels = pinned_labels(
        [pinned("b.jpg", "boot", "footwear", "gone"), pinned("a.jpg", "shirt", product=""), tagged("c.jpg")],
        VOCABULARY,
    )
    assert [(photo.text, photo.keywords, photo.group) for photo in labels.photos] == [
        ("s3://shop/a.jpg", {"shirt"}, "s3://shop/a.jpg"),
        ("s3://shop/b.jpg", {"boot"}, "p1"),
    ]


def test_what_people_suppressed_says_nothing_of_what_a_photo_shows():
    with pytest.raises(CallerError, match="nobody has pinned a keyword"):
        pinned_labels([pinned("a.jpg", "boot", kind=DecisionKind.SUPPRESS)], VOCABULARY)
