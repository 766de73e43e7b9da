"""The query language: what is understood, and where a mistake is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadQuery
from pipeline.keywords import Keyword, Use
from results_sink.search.query import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    AllOf,
    AnyOf,
    AtLeast,
    Everything,
    Node,
    ParsedQuery,
    Term,
    Without,
    parse,
)
from results_sink.search.words import QueryWords
from tests.builders import vocabulary_of
from tests.results_sink.small_shop import small_vocabulary

WORDS = QueryWords(small_vocabulary())
BOOT = Term(frozenset({"boot", "cowboy-boot"}))
CHAIR = Term(frozenset({"chair", "rocking-chair"}))
MOUSE, COMPUTER = Term(frozenset({"mouse"})), Term(frozenset({"computer"}))
SNEAKER = Term(frozenset({"sneaker"}))
FOOTWEAR = Term(BOOT.keyword_ids | SNEAKER.keyword_ids | {"footwear"})


def read(query: str, language: str = "en", words: QueryWords = WORDS) -> ParsedQuery:
    """Return what a person of that language asks for."""
    return parse(query, words.in_language(language))


def node_of(query: str, language: str = "en", words: QueryWords = WORDS) -> Node | None:
    """Return the images that the query asks for."""
    return read(query, language, words).node


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
    assert node_of(query) == meaning


@pytest.mark.parametrize("word", ["BOOT", "Stiefel", "stiefel", "botte", "Bota", "bootee", "\uff22oot"])
def test_a_word_is_known_in_every_language_and_by_its_synonyms(word: str) -> None:
    assert node_of(word) == BOOT


def test_accents_do_not_matter() -> None:
    assert node_of('"equipement de sport"') == node_of('"Équipement de Sport"')
    assert node_of("sportgerat") == node_of("Sportgerät")


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
    assert node_of(plural) == meaning


def test_a_word_that_is_known_is_no_plural_of_another() -> None:
    """What is called by the very word always wins."""
    glass, glasses, scarf = (
        Keyword(each, (), Use.KEYWORD, None, {"en": (each,)}) for each in ("glass", "glasses", "scarf")
    )
    words = QueryWords(vocabulary_of([glass, glasses, scarf], "words-1"))

    assert node_of("glasses", words=words) == Term(frozenset({"glasses"}))
    assert node_of("scarves", words=words) == Term(frozenset({"scarf"}))


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
    assert node_of(f"boot {quoted}") == AllOf((BOOT, Term(frozenset({"rocking-chair"}))))
    with pytest.raises(BadQuery, match="column 6: this quotation mark is never closed"):
        node_of(f"boot {quoted[:-1]}")


@pytest.mark.parametrize(
    ("language", "meaning"),
    [("en", {"basket"}), ("fr", {"sneaker"}), ("de", {"basket"})],
)
def test_a_word_means_what_it_does_in_the_persons_own_language(language: str, meaning: set[str]) -> None:
    assert node_of("basket", language) == Term(frozenset(meaning))


def test_a_word_of_the_persons_own_language_is_never_one_of_another() -> None:
    mode = read("mode")

    assert (mode.node, mode.ignored) == (None, ("mode",))
    assert node_of("mode", "de") == node_of("fashion")


def test_neighbours_that_are_a_keyword_together_are_that_keyword() -> None:
    assert node_of("rocking chair") == node_of('"rocking chair"') == Term(frozenset({"rocking-chair"}))
    assert node_of("boot rocking  chair mouse") == AllOf((BOOT, Term(frozenset({"rocking-chair"})), MOUSE))
    assert node_of("computer mouse") == Term(frozenset({"computer-mouse"}))
    assert node_of("computer AND mouse") == AllOf((COMPUTER, MOUSE))
    assert node_of("NOT rocking chair") == Without(Term(frozenset({"rocking-chair"})))


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
        ("boot min:0.7 chair min:0.6", AtLeast(0.7, AllOf((BOOT, CHAIR)))),
    ],
)
def test_a_least_score_is_of_the_parentheses_it_stands_in(query: str, meaning: Node) -> None:
    assert node_of(query) == meaning


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
    with pytest.raises(BadQuery) as caught:
        node_of(query)

    assert str(caught.value) == f"the query has a mistake at column {column}: {what}"


@pytest.mark.parametrize("query", ["", "   "])
def test_an_empty_query_is_a_mistake(query: str) -> None:
    with pytest.raises(BadQuery, match="the query is empty"):
        node_of(query)


@pytest.mark.parametrize(
    ("query", "meaning", "ignored"),
    [
        ("mens boot", BOOT, ("mens",)),
        ("leather boots", BOOT, ("leather",)),
        ("boot and chair", AllOf((BOOT, CHAIR)), ()),
        ("boot OR leather", BOOT, ("leather",)),
        ("boot NOT leather", BOOT, ("leather",)),
        ("boot (leather OR wooden)", BOOT, ("leather", "wooden")),
        ("(leather min:0.5) boot", BOOT, ("leather",)),
        ("NOT leather", None, ("leather",)),
        ("leather", None, ("leather",)),
        ('"leather boot"', BOOT, ("leather",)),
        ("colour:red boot", BOOT, ("red",)),
        ("men's boots, chairs!", AllOf((BOOT, CHAIR)), ("men",)),
        ("goods", None, ("goods",)),
        ("???", None, ()),
    ],
)
def test_a_word_that_means_nothing_is_left_out_and_named(
    query: str, meaning: Node | None, ignored: tuple[str, ...]
) -> None:
    answer = read(query)

    assert (answer.node, answer.ignored) == (meaning, ignored)


@pytest.mark.parametrize(
    ("query", "language", "meaning", "read_as"),
    [
        ("rocking chiar", "en", Term(frozenset({"rocking-chair"})), "rocking chair"),
        ("boot roking chair", "en", AllOf((BOOT, Term(frozenset({"rocking-chair"})))), "rocking chair"),
        ("snekers", "en", SNEAKER, "sneaker"),
        ("turnschue", "de", SNEAKER, "Turnschuh"),
        ("chausures", "fr", FOOTWEAR, "chaussures"),
        ("zapattos", "es", None, None),
    ],
)
def test_a_slip_is_read_as_the_nearest_word_of_the_language(
    query: str, language: str, meaning: Node | None, read_as: str | None
) -> None:
    answer = read(query, language)

    assert answer.node == meaning
    assert [correction.read_as for correction in answer.corrections] == ([read_as] if read_as else [])


@pytest.mark.parametrize("spelling", ["rockingchair", "rocking-chair", "Rocking Chairs"])
def test_spaces_and_hyphens_do_not_matter(spelling: str) -> None:
    assert node_of(spelling) == Term(frozenset({"rocking-chair"}))


def test_a_name_of_the_taxonomy_always_wins_over_a_synonym() -> None:
    """*sofa bed* leads to a sofa, until the taxonomy has sofa beds; so does its plural."""
    sofa = Keyword("n04256520", (), Use.KEYWORD, None, {"en": ("sofa",)})
    sofa_bed = Keyword("shop-sofa-bed", (), Use.KEYWORD, None, {"en": ("sofa bed",)})

    without, with_sofa_bed = (QueryWords(vocabulary_of(nodes, "1")) for nodes in ([sofa], [sofa, sofa_bed]))
    for query in ("sofa bed", "sofa beds", "sofabed"):
        assert node_of(query, words=without) == Term(frozenset({"n04256520"}))
        assert node_of(query, words=with_sofa_bed) == Term(frozenset({"shop-sofa-bed"}))


def test_only_the_last_word_may_be_one_that_was_begun() -> None:
    assert node_of("boot snea") == AllOf((BOOT, SNEAKER))
    assert read("snea boot").ignored == ("snea",)


def test_a_word_that_others_tell_more_of_means_all_of_these() -> None:
    vocabulary = vocabulary_of(
        [Keyword(name, (), Use.KEYWORD, None, {"en": (name,)}) for name in ("washing machine", "coffee machine")], "1"
    )

    assert node_of("machines", words=QueryWords(vocabulary)) == Term(frozenset({"washing machine", "coffee machine"}))


def test_the_last_part_of_a_german_compound_is_what_it_is() -> None:
    assert node_of("Holzstuhl", "de") == CHAIR


def test_near_words_are_those_of_the_language_alone() -> None:
    assert WORDS.in_language("en").near("boat") == ["boot"]
    assert WORDS.in_language("de").near("boat") == []


def test_an_empty_query_is_everything_where_it_may_be_empty() -> None:
    assert parse(" ", WORDS.in_language("en"), may_be_empty=True) == ParsedQuery(Everything())


def test_a_query_that_is_too_long_or_too_deep_is_refused() -> None:
    with pytest.raises(BadQuery, match="1,001 characters; the limit is 1,000"):
        node_of("x" * (MAX_CHARACTERS + 1))
    with pytest.raises(BadQuery, match=f"column {MAX_DEPTH + 1}: more than {MAX_DEPTH}"):
        node_of("(" * 400 + "boot" + ")" * 400)
    deep = "(" * MAX_DEPTH + "boot" + ")" * MAX_DEPTH
    assert node_of(deep) == BOOT


@given(st.text(st.sampled_from('boot chair"()ANDORNTmin:0.5 \t\n\u00e9'), max_size=40))
def test_any_text_is_a_query_or_a_mistake_of_the_caller(text: str) -> None:
    try:
        node_of(text)
    except BadQuery as error:
        assert error.code
        assert "\n" not in str(error)
