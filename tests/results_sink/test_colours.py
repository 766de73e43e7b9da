"""Colours are searched where an export says them, as ids or with their shares."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from pipeline.keywords import Source
from results_sink.export.columns import ImageColumns
from results_sink.search.image_index import ImageIndex
from results_sink.search.query import AllOf, AnyOf, Colour, Term, Without, parse
from results_sink.search.words import QueryWords
from tests.results_sink.small_shop import small_vocabulary

WORDS = QueryWords(small_vocabulary())
SHARES = [[("red", 0.8)], [], [("blue", 0.5), ("red", 0.3)], [("red", 0.9)]]


def columns(colours: list[list[object]]) -> ImageColumns:
    """Return four images, of which the first two are boots and the last was rejected."""
    tag = {"keyword_id": "boot", "score": 0.9, "source": "model"}
    table = pa.table(
        {
            "image": [f"s3://shop/{row}.jpg" for row in range(4)],
            "product": list("abcd"),
            "status": ["tagged", "tagged", "tagged", "rejected"],
            "reason": [None, None, None, "corrupt"],
            "low_information": [False, False, True, None],
            "observed_at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 4, pa.timestamp("us", tz="UTC")),
            "keywords": [[tag], [tag], [tag | {"keyword_id": "chair"}], []],
            "colours": colours,
        }
    )
    return ImageColumns.of(table)


@pytest.mark.parametrize("with_shares", [True, False])
def test_a_colour_finds_the_tagged_images_that_have_it(with_shares: bool) -> None:
    colours = [[{"colour": name, "share": share} if with_shares else name for name, share in image] for image in SHARES]
    index = ImageIndex(columns(colours))

    assert index.scores_of(Colour("red")).tolist() == [1, -1, 1, -1]
    assert index.scores_of(Colour("green")).tolist() == [-1, -1, -1, -1]
    assert (index.scores_of(AllOf((Colour("red"), Term(frozenset({"boot"}))))) > 0).tolist() == [
        True,
        False,
        False,
        False,
    ]
    assert index.scores_of(Without(Colour("red"))).tolist() == [-1, 1, -1, -1]


@pytest.mark.parametrize(
    ("query", "language", "colour"),
    [
        ("red", "en", "red"),
        ("gray", "en", "grey"),
        ("navy", "en", "blue"),
        ("rote", "de", "red"),
        ("weißes", "de", "white"),
        ("blanche", "fr", "white"),
        ("noires", "fr", "black"),
        ("rojas", "es", "red"),
    ],
)
def test_colours_are_known_by_their_forms_in_four_languages(query: str, language: str, colour: str) -> None:
    assert parse(query, WORDS.in_language(language, has_colours=True)).node == Colour(colour)


def test_a_word_that_is_a_colour_and_a_keyword_means_either() -> None:
    vocabulary = small_vocabulary()
    orange = vocabulary.nodes["basket"]
    words = QueryWords(type(vocabulary).of([type(orange)("orange", (), orange.use, None, {"en": ("orange",)})], "1"))

    node = parse("orange", words.in_language("en", has_colours=True)).node
    assert node == AnyOf((Term(frozenset({"orange"})), Colour("orange")))


def test_facts_of_an_image_are_columns() -> None:
    images = columns([[], [], [], []])

    assert images.has_reason("corrupt").tolist() == [False, False, False, True]
    assert images.has_source(Source.HUMAN).tolist() == [False] * 4
    assert images.needs_a_look.tolist() == [False, False, True, False]
    assert images.rows_among(pa.array(["s3://shop/2.jpg", "s3://shop/9.jpg"])).tolist() == [2]
