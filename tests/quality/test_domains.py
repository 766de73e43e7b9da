"""The judging lists name keywords that exist, and photos are counted by them."""

import pytest

from pipeline.keywords import Vocabulary
from tests.quality.domains import LABELS, DomainMeasures, Meaning, meanings

DRESS = Meaning(frozenset({"dress"}), frozenset({"dress", "gown", "clothing", "fashion"}))


@pytest.mark.parametrize("data_set", LABELS)
def test_every_label_of_a_judging_list_has_a_word_that_names_it(data_set):
    found = meanings(data_set, Vocabulary.load())
    assert found
    assert all(meaning.named and meaning.named <= meaning.right for meaning in found.values())


def test_photos_are_counted_by_what_was_said_of_them():
    measures = DomainMeasures()
    for said in ({"dress", "clothing"}, {"clothing"}, {"hat", "dress"}, {"fashion"}, set()):
        measures.add(frozenset(said), DRESS, frozenset({"fashion"}))
    assert (measures.photos, measures.specific, measures.wrong) == (5, 2, 1)
    assert (measures.only_broad, measures.needs_a_look) == (2, 1)
    assert (measures.keywords, measures.mistakes) == (5, 1)
