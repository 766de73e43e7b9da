"""The query language: what is understood, and where a mistake is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallerError
from pipeline.keywords import Keyword, Use, Vocabulary
from results_sink.search.query import MAX_CHARACTERS, MAX_DEPTH, AllOf, AnyOf, AtLeast, Node, Term, Without, parse
from tests.results_sink.small_shop import small_vocabulary

WORDS = small_vocabulary()
BOOT = Term(frozenset({"boot", "cowboy-boot"}))
CHAIR = Term(frozenset({"chair", "rocking-chair"}))
MOUSE, COMPUTER = Term(frozenset({"mouse"})), Term(frozenset({"computer"}))
SNEAKER = Term(frozenset({"sneaker"}))
FOOTWEAR = Term(BOOT.keyword_ids | SNEAKER.keyword_ids | {"footwear"})


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("boot", BOOT),
        ("  boot  ", BOOT),
        ("footwear", FOOTWEAR),
        ("boot chair", AllOf((BOOT, CHAIR))),
        ("boot AND chair", AllOf((BOOT, CHAIR))),
        ("boot OR chair", AnyOf((BOOT, CHAIR))),
        ("boot chair OR mouse", AnyOf((AllOf((BOOT, CHAIR)), MOUSE))),
        ("boot (chair OR mouse)", AllOf((BOOT, AnyOf((CHAIR, MOUSE))))),
        ("boot(chair)mouse", AllOf((BOOT, CHAIR, MOUSE))),
        ("footwear AND NOT boot", AllOf((FOOTWEAR, Without(BOOT)))),
        ("footwear NOT boot", AllOf((FOOTWEAR, Without(BOOT)))),
        ("NOT NOT boot", Without(Without(BOOT))),
        ("NOT (boot OR chair)", Without(AnyOf((BOOT, CHAIR)))),
        ('"boot"', BOOT),
        ('"boot""chair"', AllOf((BOOT, CHAIR))),
        ("crane", Term(frozenset({"crane-bird", "crane-toy"}))),
        ("fashion", Term(FOOTWEAR.keyword_ids | {"fashion"})),
    ],
)
def test_a_query_is_understood(query: str, meaning: Node) -> None:
    assert parse(query, WORDS) == meaning


@pytest.mark.parametrize("word", ["BOOT", "Stiefel", "stiefel", "botte", "Bota", "bootee", "\uff22oot"])
def test_a_word_is_known_in_every_language_and_by_its_synonyms(word: str) -> None:
    assert parse(word, WORDS) == BOOT


def test_accents_do_not_matter() -> None:
    assert parse('"equipement de sport"', WORDS) == parse('"Équipement de Sport"', WORDS)
    assert parse("sportgerat", WORDS) == parse("Sportgerät", WORDS)


@pytest.mark.parametrize(
    ("plural", "meaning"),
    [
        ("boots", BOOT),
        ("BOOTS", BOOT),
        ("Chairs", CHAIR),
        ("computer mouses", Term(frozenset({"computer-mouse"}))),
        ("boots chairs", AllOf((BOOT, CHAIR))),
        ("rocking chairs", Term(frozenset({"rocking-chair"}))),
        ('"rocking chairs"', Term(frozenset({"rocking-chair"}))),
        ("Turnschuhe", SNEAKER),
        ("bottes", BOOT),
        ("équipements de sport", Term(frozenset({"sports", "sneaker"}))),
        ("sillas", CHAIR),
        ("NOT boots", Without(BOOT)),
    ],
)
def test_a_plural_of_a_word_that_is_known_is_that_word(plural: str, meaning: Node) -> None:
    assert parse(plural, WORDS) == meaning


def test_a_word_that_is_known_is_no_plural_of_another() -> None:
    """What is called by the very word always wins."""
    glass, glasses, scarf = (
        Keyword(each, (), Use.KEYWORD, None, {"en": (each,)}) for each in ("glass", "glasses", "scarf")
    )
    words = Vocabulary.of([glass, glasses, scarf], "words-1")

    assert parse("glasses", words) == Term(frozenset({"glasses"}))
    assert parse("scarves", words) == Term(frozenset({"scarf"}))


@pytest.mark.parametrize("unsure", ["boote", "sillae", "as"])
def test_an_ending_is_taken_off_in_its_own_language_alone(unsure: str) -> None:
    with pytest.raises(CallerError, match="no keyword is called"):
        parse(unsure, WORDS)


@pytest.mark.parametrize(
    "quoted",
    [
        "\u201crocking chair\u201d",
        "\u201erocking chair\u201c",
        "\u00ab rocking chair \u00bb",
        "\u00bbrocking chair\u00ab",
    ],
)
def test_quotation_marks_of_any_language_quote(quoted: str) -> None:
    assert parse(f"boot {quoted}", WORDS) == AllOf((BOOT, Term(frozenset({"rocking-chair"}))))
    with pytest.raises(CallerError, match="column 6: this quotation mark is never closed"):
        parse(f"boot {quoted[:-1]}", WORDS)


def test_a_word_of_two_languages_means_both() -> None:
    assert parse("basket", WORDS) == Term(frozenset({"basket", "sneaker"}))


def test_neighbours_that_are_a_keyword_together_are_that_keyword() -> None:
    assert parse("rocking chair", WORDS) == parse('"rocking chair"', WORDS) == Term(frozenset({"rocking-chair"}))
    assert parse("boot rocking  chair mouse", WORDS) == AllOf((BOOT, Term(frozenset({"rocking-chair"})), MOUSE))
    assert parse("computer mouse", WORDS) == Term(frozenset({"computer-mouse"}))
    assert parse("computer AND mouse", WORDS) == AllOf((COMPUTER, MOUSE))
    assert parse("NOT rocking chair", WORDS) == Without(Term(frozenset({"rocking-chair"})))


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("boot min:0.6", AtLeast(0.6, BOOT)),
        ("min:0.6 boot", AtLeast(0.6, BOOT)),
        ("MIN:.6 boot", AtLeast(0.6, BOOT)),
        ("boot AND min:1", AtLeast(1.0, BOOT)),
        ("boot OR chair min:0.6", AtLeast(0.6, AnyOf((BOOT, CHAIR)))),
        ("(boot min:0.6) OR chair", AnyOf((AtLeast(0.6, BOOT), CHAIR))),
        ("boot min:0.6 chair min:0.7", AtLeast(0.7, AllOf((BOOT, CHAIR)))),
    ],
)
def test_a_least_score_is_of_the_parentheses_it_stands_in(query: str, meaning: Node) -> None:
    assert parse(query, WORDS) == meaning


@pytest.mark.parametrize(
    ("query", "column", "what"),
    [
        ("boot AND", 9, "the query ends where a word is needed after AND"),
        ("AND boot", 1, "AND stands where a word is needed"),
        ("boot OR AND chair", 9, "AND stands where a word is needed after OR"),
        ("boot OR", 8, "the query ends where a word is needed after OR"),
        ("NOT", 4, "the query ends where a word is needed after NOT"),
        ("boot)", 5, "this parenthesis closes nothing"),
        ("(boot", 1, "this parenthesis is never closed"),
        ("boot (chair OR (mouse)", 6, "this parenthesis is never closed"),
        ("()", 2, ") stands where a word is needed"),
        ('boot "chair', 6, "this quotation mark is never closed"),
        ('boot ""', 6, "there is nothing between the quotation marks"),
        ("boot min:2", 6, "min: needs a score from 0 to 1, such as min:0.6"),
        ("boot min:", 6, "min: needs a score from 0 to 1, such as min:0.6"),
        ("boot min:nan", 6, "min: needs a score from 0 to 1, such as min:0.6"),
        ("boot OR min:0.5", 9, "min: needs a word beside it"),
        ("min:0.5", 1, "min: needs a word beside it"),
        ("NOT min:0.5", 5, "min:0.5 stands where a word is needed after NOT"),
    ],
)
def test_a_mistake_says_its_column(query: str, column: int, what: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse(query, WORDS)

    assert str(caught.value) == f"the query has a mistake at column {column}: {what}"


@pytest.mark.parametrize("query", ["", "   "])
def test_an_empty_query_is_a_mistake(query: str) -> None:
    with pytest.raises(CallerError, match="the query is empty"):
        parse(query, WORDS)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("rocking chiar", "no keyword is called 'rocking chiar'; did you mean rocking chair?"),
        ("boot roking chair mouse", "no keyword is called 'roking chair'; did you mean rocking chair?"),
        ("computer mousse", "no keyword is called 'computer mousse'; did you mean computer mouse?"),
        ('roking "chair"', "no keyword is called 'roking'"),
        ("roking AND chair", "no keyword is called 'roking'"),
        ("bot", "no keyword is called 'bot'; did you mean boot"),
        ("sneakr", "no keyword is called 'sneakr'; did you mean sneaker"),
        ("qqqqqq", "no keyword is called 'qqqqqq'"),
        ("goods", "no keyword is called 'goods'"),
        ("boot and chair", "no keyword is called 'and'; operators are written in capitals: AND"),
        ("colour:red", "no keyword is called 'colour:red'"),
    ],
)
def test_an_unknown_word_is_said_with_what_is_near(query: str, message: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse(query, WORDS)

    assert str(caught.value).startswith(message)


def test_a_query_that_is_too_long_or_too_deep_is_refused() -> None:
    with pytest.raises(CallerError, match="1,001 characters; the limit is 1,000"):
        parse("x" * (MAX_CHARACTERS + 1), WORDS)
    with pytest.raises(CallerError, match=f"column {MAX_DEPTH + 1}: more than {MAX_DEPTH}"):
        parse("(" * 400 + "boot" + ")" * 400, WORDS)
    deep = "(" * MAX_DEPTH + "boot" + ")" * MAX_DEPTH
    assert parse(deep, WORDS) == BOOT


@given(st.text(st.sampled_from('boot chair"()ANDORNTmin:0.5 \t\n\u00e9'), max_size=40))
def test_any_text_is_a_query_or_a_mistake_of_the_caller(text: str) -> None:
    try:
        parse(text, WORDS)
    except CallerError as error:
        assert "\n" not in str(error).replace(repr(text), "")
