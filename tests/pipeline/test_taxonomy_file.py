"""The taxonomy file that is shipped can be read and names every class of the model."""

import csv
from pathlib import Path

import pytest

from pipeline.keywords import Vocabulary

ROOT = Path(__file__).resolve().parents[2]


def test_every_class_of_the_model_is_a_node():
    with (ROOT / "tagging_lambda" / "imagenet_classes.csv").open(encoding="utf-8", newline="") as file:
        ids = {row["id"] for row in csv.DictReader(file)}
    assert len(ids) == 1000
    assert ids <= Vocabulary.load().nodes.keys()


def test_wordnets_notice_stands_beside_the_file():
    notice = (ROOT / "pipeline" / "taxonomy-LICENSE.txt").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved." in notice


@pytest.mark.parametrize(
    ("class_id", "language", "word"),
    [
        ("n04120489", "en", "sneaker"),
        ("n04120489", "en", "trainer"),
        ("n04120489", "de", "Turnschuh"),
        ("n04120489", "fr", "basket"),
        ("n04120489", "es", "zapatilla deportiva"),
        ("n03642806", "en", "notebook"),
        ("n03595614", "en", "t-shirt"),
        ("n03680355", "en", "loafer"),
    ],
)
def test_a_class_is_found_by_the_words_of_a_shopper(class_id, language, word):
    vocabulary = Vocabulary.load()
    assert class_id in vocabulary.spelled(word)
    assert word.casefold() in [each.casefold() for each in vocabulary.nodes[class_id].words[language]]


@pytest.mark.parametrize(
    ("class_id", "parents"),
    [
        ("n04120489", {"shoe", "footwear", "sportswear"}),
        ("n04409515", {"ball", "sports equipment"}),
        ("n04099969", {"chair", "furniture"}),
        ("n03832673", {"laptop", "computer", "electronics"}),
        ("n02837789", {"swimwear", "beachwear", "clothing"}),
        ("n02808304", {"towel", "home textiles"}),
        ("n03400231", {"cookware", "kitchenware"}),
    ],
)
def test_a_class_stands_below_the_parents_that_shoppers_use(class_id, parents):
    vocabulary = Vocabulary.load()
    above = {vocabulary.nodes[each] for each in vocabulary.ancestors(class_id)}
    assert parents <= {keyword.name() for keyword in above if keyword in vocabulary.emitted}
