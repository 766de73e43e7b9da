"""Heads and classes together: who overrules whom, and what is left to a person."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.keywords import Keyword, Source, Use
from pipeline.records import ClassScore
from pipeline.vectors import FeatureVector
from tagging_lambda.words.classes_and_heads import SURER, KeywordMapper
from tagging_lambda.words.head_card import HeadCard, HeadKind, HeadWord
from tagging_lambda.words.heads import Head
from tagging_lambda.words.share import Share
from tests.builders import vocabulary_of

SPACE = "0123456789ab"
CLASSES = ("pyjamas", "running-shoe", "iron", "bag")
VOCABULARY = vocabulary_of(
    [
        Keyword(node, parents, use, None, {"en": (node,)})
        for node, parents, use in (
            ("fashion", (), Use.FALLBACK),
            ("clothing", ("fashion",), Use.KEYWORD),
            ("top", ("clothing",), Use.KEYWORD),
            ("shirt", ("top",), Use.KEYWORD),
            ("polo", ("top",), Use.KEYWORD),
            ("pyjamas", ("clothing",), Use.KEYWORD),
            ("shoe", ("fashion",), Use.KEYWORD),
            ("running-shoe", ("shoe",), Use.KEYWORD),
            ("bag", ("fashion",), Use.KEYWORD),
            ("appliance", (), Use.KEYWORD),
            ("iron", ("appliance",), Use.KEYWORD),
        )
    ],
    "words-1",
)
WORDS = ("shirt", "polo", "shoe")


def a_word(keyword_id, threshold, members=()):
    parents = VOCABULARY.nodes[keyword_id].parents
    return HeadWord(keyword_id, parents, {"en": (keyword_id,)}, threshold, Share(9, 10), Share(9, 10), 20, members)


def a_head(name="starter", space=SPACE):
    card = HeadCard(
        name=name,
        space=space,
        kind=HeadKind.SOFTMAX,
        branch=("fashion",),
        words=tuple(a_word(word, 0.5) for word in WORDS),
        groups=(a_word("top", 0.8, ("shirt", "polo")),),
        other_threshold=0.9,
        wanted_precision=0.9,
        training=(),
        weights_sha256="",
    )
    # The vector's first dimensions are the logits of the words and of *other*, in tens.
    return Head.of(card, np.eye(4, dtype=np.float32) * 10, np.zeros(4, np.float32))


def seen(**logits):
    """Return a vector on which the head's logits lie so far apart, and everything else is lost in its length."""
    values = np.array([logits.get(word, 0.0) for word in (*WORDS, "other")], np.float32)
    return FeatureVector.of(SPACE, values)


def said(mapper, vector, **classes):
    scores = tuple(ClassScore(CLASSES.index(name.replace("_", "-")), score) for name, score in classes.items())
    return [tag.keyword_id for tag in mapper.keywords(scores, vector)]


@pytest.fixture
def mapper():
    return KeywordMapper.of(VOCABULARY, CLASSES, (a_head(),))


def test_a_sure_head_says_its_word_and_what_is_above_it(mapper):
    tags = mapper.keywords((), seen(shirt=1.0))
    assert [tag.keyword_id for tag in tags] == ["shirt", "top", "clothing"]
    assert {tag.source for tag in tags} == {Source.HEAD}


def test_a_sure_head_overrules_a_class_of_its_branch(mapper):
    assert "pyjamas" not in said(mapper, seen(shirt=1.0), pyjamas=0.95)


def test_a_class_that_is_narrower_than_the_heads_word_stays(mapper):
    assert said(mapper, seen(shoe=1.0), running_shoe=0.9) == ["running-shoe", "shoe"]


def test_no_keyword_is_less_sure_than_a_narrower_one(mapper):
    scores = (ClassScore(CLASSES.index("running-shoe"), 0.999),)
    narrow, broad = mapper.keywords(scores, seen(shoe=0.6, shirt=0.5))
    assert (narrow.keyword_id, broad.keyword_id) == ("running-shoe", "shoe")
    assert broad.score == narrow.score == 0.999


def test_a_group_of_words_does_not_overrule_a_sure_class(mapper):
    torn = seen(shirt=1.0, polo=1.0)
    assert said(mapper, torn) == ["top", "clothing"]
    assert said(mapper, torn, bag=0.9) == ["bag"]


def test_a_word_that_is_hardly_sure_does_not_overrule_a_class_of_another_branch(mapper):
    hardly = seen(shirt=0.76, other=0.65)
    assert said(mapper, hardly) == ["shirt", "top", "clothing"]
    assert said(mapper, hardly, iron=0.9) == ["iron", "appliance"]
    assert said(mapper, seen(shirt=1.0), iron=0.9) == ["shirt", "top", "clothing"]


def test_a_class_of_another_branch_that_is_clearly_surer_than_the_head_stays(mapper):
    fairly = seen(shirt=1.0, other=0.78)
    [shirt, *_] = mapper.keywords((), fairly)
    assert 0.8 < shirt.score < 0.93
    assert said(mapper, fairly, iron=shirt.score + SURER + 0.01) == ["iron", "appliance"]
    assert said(mapper, fairly, iron=shirt.score + SURER - 0.01) == ["shirt", "top", "clothing"]


def test_a_head_in_doubt_between_its_words_takes_back_a_class_that_is_none_of_them(mapper):
    torn = seen(shirt=0.6, polo=0.6, shoe=0.52)
    assert said(mapper, torn, pyjamas=0.9) == ["clothing"]


def test_a_head_that_knows_the_department_but_no_word_takes_back_a_class_of_another_department(mapper):
    torn = seen(shirt=0.6, polo=0.6, shoe=0.52)
    assert said(mapper, torn, iron=0.9) == []
    assert said(mapper, torn, iron=0.99) == ["iron", "appliance"]
    assert said(mapper, seen(shirt=0.6, polo=0.6, other=0.6), iron=0.9) == ["iron", "appliance"]


def test_a_class_of_its_branch_that_the_head_has_no_word_for_is_overruled_by_a_sure_word_alone(mapper):
    fairly = seen(shirt=1.0, polo=0.95)
    [shirt, *_] = mapper.keywords((), fairly)
    assert 0.5 < shirt.score < 0.8
    assert said(mapper, fairly, bag=0.99) == ["bag"]
    assert said(mapper, fairly, bag=0.9) == ["shirt", "top", "clothing"]
    assert said(mapper, seen(shirt=1.0), bag=0.99) == ["shirt", "top", "clothing"]


def test_what_a_class_of_the_words_own_kind_implies_elsewhere_does_not_speak_against_the_word():
    nodes = [
        Keyword(node, parents, use, None, {"en": (node,)})
        for node, parents, use in (
            ("decoration", (), Use.KEYWORD),
            ("timepieces", ("decoration-and-more",), Use.FALLBACK),
            ("decoration-and-more", (), Use.THROUGH),
            ("watch", ("timepieces",), Use.KEYWORD),
            ("clock", ("timepieces", "decoration"), Use.KEYWORD),
        )
    ]
    head = a_head()
    words = (replace(head.card.words[0], id="watch", parents=("timepieces",)), *head.card.words[1:])
    head = replace(head, card=replace(head.card, branch=("timepieces",), words=words, groups=()))
    mapper = KeywordMapper.of(vocabulary_of([*VOCABULARY.nodes.values(), *nodes], "words-2"), ("clock",), (head,))
    tags = mapper.keywords((ClassScore(0, 0.99),), seen(shirt=1.0, other=0.78))
    assert [tag.keyword_id for tag in tags] == ["watch"]


def test_where_the_head_sees_other_things_the_classes_speak(mapper):
    assert said(mapper, seen(other=1.0), iron=0.9) == ["iron", "appliance"]


def test_a_record_without_a_vector_and_a_vector_of_another_space_leave_the_classes_to_speak(mapper):
    assert said(mapper, None, pyjamas=0.9) == ["pyjamas", "clothing"]
    other_space = FeatureVector.of("ba9876543210", np.array([1, 0, 0, 0], np.float32))
    assert said(mapper, other_space, pyjamas=0.9) == ["pyjamas", "clothing"]


def test_nothing_sure_is_no_keyword(mapper):
    assert said(mapper, seen(shirt=0.5, other=0.6), bag=0.2) == []


def test_of_two_heads_that_are_sure_of_one_branch_the_first_one_counts():
    own = a_head("own")
    swapped = Head.of(own.card, own.coefficients[:, [1, 0, 2, 3]], own.bias)
    mapper = KeywordMapper.of(VOCABULARY, CLASSES, (swapped, a_head()))
    assert said(mapper, seen(shirt=1.0)) == ["polo", "top", "clothing"]


def test_the_version_names_the_taxonomy_and_each_head(mapper):
    without = KeywordMapper.of(VOCABULARY, CLASSES)
    other = KeywordMapper.of(VOCABULARY, CLASSES, (a_head("own"),))
    assert without.version == "words-1"
    assert len({mapper.version, without.version, other.version}) == 3
