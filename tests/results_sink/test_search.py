"""Search answers what a slow and obvious evaluation of the records answers, and reads little."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.folder import FolderFiles
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import Listing
from pipeline.records import TaggedImage
from results_sink.export.postings_layout import Sizes
from results_sink.search import image_index
from results_sink.search.complete import Completer
from results_sink.search.search import FACETS, Filters, Searcher, SearchRequest, Sort
from results_sink.search.snapshot import InPlace
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import (
    NOW,
    exported,
    gone,
    observation,
    open_latest,
    rejected,
    searcher_of,
    small_shop,
    small_vocabulary,
    tagged,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.records import Record
    from results_sink.search.search import SearchAnswer

WORDS = small_vocabulary()


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    """Answers from the small shop."""
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path)
    return searcher_of(files, tmp_path)


def found(searcher: Searcher, query: str, **options: bool) -> list[tuple[str, float]]:
    """Return the keys of the images found, and their scores."""
    return [(each.image.removeprefix("s3://shop/"), each.score) for each in searcher.search(query, **options).results]


# ---- by example ------------------------------------------------------------------------------------------------------


def test_results_are_ranked_by_score_and_then_by_name(searcher: Searcher) -> None:
    assert found(searcher, "boot") == [("boot/1.jpg", 0.9), ("boot/2.jpg", 0.7), ("both.jpg", 0.55)]
    assert found(searcher, "NOT footwear NOT crane NOT chair") == [("nothing.jpg", 1.0)]


def test_a_parent_finds_all_that_is_below_it_once_with_its_best_score(searcher: Searcher) -> None:
    assert found(searcher, "footwear") == [
        ("sneaker.jpg", 0.99),
        ("boot/1.jpg", 0.95),
        ("boot/2.jpg", 0.75),
        ("both.jpg", 0.55),  # a boot, though nobody said footwear
    ]


def test_several_words_mean_all_of_them_by_the_lower_score(searcher: Searcher) -> None:
    assert found(searcher, "boot chair") == [("both.jpg", 0.55)]
    assert found(searcher, "boot OR chair")[:2] == [("boot/1.jpg", 0.9), ("chair.jpg", 0.9)]


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("footwear no boots", "en"),
        ("footwear without the Boots", "en"),
        ("Schuhwerk ohne Stiefel", "de"),
        ("chaussures sans bottes", "fr"),
        ("calzado sin botas", "es"),
    ],
)
def test_a_negation_leaves_out_what_follows_it(searcher: Searcher, query: str, language: str) -> None:
    answer = searcher.answer(SearchRequest(query, language=language))

    assert [hit.image for hit in answer.results] == ["s3://shop/sneaker.jpg"]
    assert answer.ignored == ()


def test_a_negation_of_what_nobody_knows_is_ignored_with_it_and_one_that_leaves_nothing_is_left_out_first(
    searcher: Searcher,
) -> None:
    unknown = searcher.answer(SearchRequest("sneaker no laces"))
    too_much = searcher.answer(SearchRequest("boot no footwear"))

    assert (unknown.total, unknown.ignored) == (1, ("no", "laces"))
    assert (too_much.total, too_much.ignored) == (3, ("no footwear",))
    assert searcher.answer(SearchRequest("boot no")).ignored == ("no",)


def test_a_mere_head_is_left_out_before_a_name(searcher: Searcher) -> None:
    answer = searcher.answer(SearchRequest("boot equipment"))

    assert (answer.total, answer.ignored) == (3, ("equipment",))


def test_a_french_article_before_an_apostrophe_belongs_to_no_word(searcher: Searcher) -> None:
    assert searcher.answer(SearchRequest("l'équipement de sport", language="fr")).total == 1
    assert searcher.answer(SearchRequest("bottes d'hiver", language="fr")).ignored == ("hiver",)


def test_not_leaves_out(searcher: Searcher) -> None:
    assert found(searcher, "footwear AND NOT boot") == [("sneaker.jpg", 0.99)]


def test_a_rejected_image_is_never_found(searcher: Searcher) -> None:
    assert searcher.search("NOT boot").total == 5
    assert not [key for key, _ in found(searcher, "NOT boot") if key in {"broken.jpg", "huge.jpg"}]


def test_a_least_score_counts_the_scores_that_are_just_enough(searcher: Searcher) -> None:
    assert found(searcher, "boot min:0.7") == [("boot/1.jpg", 0.9), ("boot/2.jpg", 0.7)]


def test_a_result_carries_the_keywords_with_their_sources(searcher: Searcher) -> None:
    [crane] = searcher.search("Kran").results

    assert (crane.image, crane.product) == ("s3://shop/crane é.jpg", "crane é")
    assert crane.keywords == (KeywordTag("crane-toy", 1.0, Source.HUMAN),)


def test_facets_count_what_the_results_carry_or_what_is_above_it(searcher: Searcher) -> None:
    facets = {facet.keyword: facet.count for facet in searcher.search("boot").facets}

    assert facets == {"boot": 3, "footwear": 3, "fashion": 3, "chair": 1, "cowboy boot": 1, "home": 1}
    assert [facet.keyword for facet in searcher.search("boot").facets][:3] == ["boot", "fashion", "footwear"]


def test_two_keywords_of_one_name_are_one_facet(searcher: Searcher) -> None:
    assert [(facet.keyword, facet.count) for facet in searcher.search("crane").facets] == [("crane", 2)]


def test_per_product_keeps_the_best_image_of_each(searcher: Searcher) -> None:
    answer = searcher.search("boot", per_product=True)

    assert [(each.product, each.image, each.score) for each in answer.results] == [
        ("boot", "s3://shop/boot/1.jpg", 0.9),
        ("both", "s3://shop/both.jpg", 0.55),
    ]
    assert answer.total == 2
    assert {facet.keyword: facet.count for facet in answer.facets}["footwear"] == 2


def test_a_known_word_that_nothing_has_finds_nothing(searcher: Searcher) -> None:
    answer = searcher.search("computer")

    assert (answer.total, answer.results, answer.facets) == (0, (), ())
    assert searcher.search("computer", per_product=True).total == 0
    assert searcher.search("NOT NOT computer").total == 0


def test_no_results_are_shown_where_none_are_wanted(searcher: Searcher) -> None:
    answer = searcher.search("boot", 0)

    assert (answer.total, answer.results) == (3, ())


def test_an_empty_export_answers(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path, [])

    assert searcher_of(files, tmp_path).search("boot OR NOT chair").total == 0
    assert searcher_of(files, tmp_path).search("NOT chair", per_product=True).total == 0


def test_a_keyword_the_vocabulary_no_longer_has_is_shown_and_is_no_facet(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path, [tagged("a.jpg", old=0.5, boot=0.5)])

    answer = searcher_of(files, tmp_path).search("boot")
    assert [tag.keyword_id for tag in answer.results[0].keywords] == ["old", "boot"]
    assert {facet.keyword for facet in answer.facets} == {"boot", "footwear", "fashion"}


# ---- words that nobody knows, filters, order, completion -------------------------------------------------------------


def test_words_that_mean_nothing_are_left_out_and_named(searcher: Searcher) -> None:
    answer = searcher.search("leather boot")

    assert (answer.total, answer.ignored, answer.suggestions, answer.available) == (3, ("leather",), (), ())


def test_a_colour_is_left_out_and_named_where_the_export_says_none(searcher: Searcher) -> None:
    assert (searcher.search("red boot").total, searcher.search("red boot").ignored) == (3, ("red",))


def test_where_nothing_is_found_the_answer_says_what_is_near_and_what_there_is(searcher: Searcher) -> None:
    answer = searcher.search("snekkers boat")

    assert (answer.total, answer.ignored) == (1, ("boat",))
    nothing = searcher.search("boat")
    assert (nothing.total, nothing.ignored, nothing.suggestions) == (0, ("boat",), ("boot",))
    assert [(facet.keyword, facet.count) for facet in nothing.available][:2] == [("fashion", 4), ("footwear", 4)]


def test_words_are_left_out_until_something_is_found(searcher: Searcher) -> None:
    """In English the words before another tell more of it; operators and quotes are meant as they stand."""
    answer = searcher.search("sneaker chair")

    assert (found(searcher, "sneaker chair"), answer.ignored) == (found(searcher, "chair"), ("sneaker",))
    assert searcher.search("sneaker AND chair").total == 0
    assert searcher.search('"sneaker" chair').total == 0
    french = searcher.answer(SearchRequest("chaise basket", language="fr"))
    assert (french.total, french.ignored) == (2, ("basket",))


def test_filters_leave_only_what_they_say(searcher: Searcher) -> None:
    def images(query: str, filters: Filters) -> list[str]:
        hits = searcher.answer(SearchRequest(query, filters=filters)).results
        return [hit.image.removeprefix("s3://shop/") for hit in hits]

    assert images("", Filters(source=Source.HUMAN)) == ["crane é.jpg"]
    assert images("", Filters(needs_a_look=True)) == ["nothing.jpg"]  # somebody decided on the other doubtful one
    assert set(images("crane", Filters(needs_a_look=False))) == {"bird.jpg", "crane é.jpg"}
    assert images("", Filters(reason="corrupt")) == ["broken.jpg"]
    assert images("boot", Filters(reason="corrupt")) == []


def test_a_shops_own_words_are_found_by_a_filter_of_their_own(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    runner = tagged("a.jpg", "sku-7", boot=0.9)
    listing = Listing("Läufer Comfort", "Acme", "12,90 €", "https://shop.example/7")
    listed = replace(runner, observation=replace(runner.observation, listing=listing))
    exported(files, tmp_path, [listed, tagged("b.jpg", "sku-8", boot=0.5)])
    searcher = searcher_of(files, tmp_path)

    def products(text: str, query: str = "") -> list[str]:
        return [hit.product for hit in searcher.answer(SearchRequest(query, filters=Filters(text=text))).results]

    assert products("läufer ACME") == products("comfort", "boot") == ["sku-7"]
    assert products("sku") == ["sku-7", "sku-8"]
    assert products("läufer sku-8") == products("comfort", "sneaker") == products("12,90") == []
    assert searcher.search("boot").results[0].listing == listing


def test_results_come_in_the_order_that_is_wanted(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    old, new = tagged("b.jpg", boot=0.9), tagged("a.jpg", boot=0.5)
    later = replace(new, observation=replace(new.observation, observed_at=NOW))
    exported(files, tmp_path, [old, later, tagged("c.jpg", boot=0.7)])

    def keys(sort: Sort) -> list[str]:
        hits = searcher_of(files, tmp_path).answer(SearchRequest("boot", sort=sort)).results
        return [hit.product for hit in hits]

    assert keys(Sort.SCORE) == ["b", "c", "a"]
    assert keys(Sort.NEWEST) == ["a", "b", "c"]
    assert keys(Sort.IMAGE) == ["a", "b", "c"]


def test_a_query_is_completed_by_what_leaves_most_images(searcher: Searcher) -> None:
    def completions(typed: str) -> list[tuple[str, int]]:
        found = Completer(WORDS).complete_query(typed, "en", searcher)
        return [(completion.query, completion.images) for completion in found]

    assert completions("bo")[0] == ("boot", 3)
    assert completions("boot ch") == [("boot chair", 1)]
    assert completions("rocking ch") == [("rocking chair", 1)]
    assert completions("boot mou") == []
    assert completions("boot zzz") == []


# ---- against the obvious ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """A query as text, and what it means."""

    text: str
    kind: str
    parts: tuple[Query, ...] = ()
    word: str = ""
    least: float = 0.0

    def score(self, record: TaggedImage) -> float | None:
        """Return the score of the record, or None where it is not found."""
        scores = [part.score(record) for part in self.parts]
        if self.kind == "word":
            return best_score(record, self.word)
        if self.kind == "not":
            return 1.0 if scores[0] is None else None
        if self.kind == "and":
            return None if None in scores else min(score for score in scores if score is not None)
        present = [score for score in scores if score is not None and score >= self.least]
        return max(present, default=None)


def best_score(record: TaggedImage, word: str) -> float | None:
    """Return the best score of a keyword that the word names, or that is below one."""
    named = {keyword.id for keyword in WORDS.emitted if word in keyword.words["en"]}
    return max((tag.score for tag in record.keywords if named & {tag.keyword_id, *above(tag.keyword_id)}), default=None)


def above(keyword_id: str) -> Sequence[str]:
    """Return the keywords above one, as far as it is known."""
    return WORDS.ancestors(keyword_id) if keyword_id in WORDS.nodes else ()


ALL_WORDS = [word for keyword in WORDS.emitted for word in keyword.words["en"]]
words = st.sampled_from(ALL_WORDS).flatmap(
    lambda word: st.sampled_from([word, word.upper(), word.title()]).map(
        lambda said: Query(f'"{said}"', "word", word=word)
    )
)


def composed(part: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    """Return queries made of others."""
    several = st.lists(part, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(several, st.sampled_from([" ", " AND "])).map(
            lambda made: Query(f"({made[1].join(each.text for each in made[0])})", "and", made[0])
        ),
        several.map(lambda parts: Query(f"({' OR '.join(each.text for each in parts)})", "or", parts)),
        part.map(lambda each: Query(f"NOT {each.text}", "not", (each,))),
        st.tuples(part, st.sampled_from([0.0, 0.3, 0.5, 0.95, 1.0])).map(
            lambda made: Query(f"({made[0].text} min:{made[1]})", "or", (made[0],), least=made[1])
        ),
    )


SMALL = Sizes(4, 5, 2, 2, 3, 7, 9)
Said = dict[str, tuple[float, Source]]
queries = st.recursive(words, composed, max_leaves=6)
ids = st.sampled_from([*(each.id for each in WORDS.emitted), "no-longer-known"])
scores = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0, 1, width=32))  # told apart by the index
tags = st.dictionaries(ids, st.tuples(scores, st.sampled_from(Source)), max_size=5)
shops = st.lists(st.tuples(st.one_of(st.none(), tags), st.integers(0, 4)), max_size=25)


def records_of(shop: list[tuple[Said | None, int]]) -> list[Record]:
    """Return a shop's records: rejected where there are no tags."""
    return [photo(at * 7 % 25, said, product) for at, (said, product) in enumerate(shop)]


def photo(at: int, said: Said | None, product: int) -> Record:
    """Return a photo's record: rejected where nothing is said of it."""
    if said is None:
        return rejected(f"{at:02}.jpg")
    keywords = tuple(KeywordTag(each, score, source) for each, (score, source) in said.items())
    return TaggedImage(observation(f"{at:02}.jpg", f"p{product}"), keywords, (), 10, 10)


changes = st.lists(st.tuples(st.integers(0, 29), st.one_of(st.none(), st.just("gone"), tags), st.integers(0, 4)))


# An export takes ten times as long as a query, and it is queries that come in most forms: so each answers many.
@settings(max_examples=60)
@given(shops, st.lists(queries, min_size=3, max_size=12), st.sampled_from([1, 3, 100]), st.booleans())
def test_any_query_finds_what_a_slow_and_obvious_evaluation_finds(
    tmp_path_factory: pytest.TempPathFactory,
    shop: list[tuple[Said | None, int]],
    asked: list[Query],
    limit: int,
    per_product: bool,
) -> None:
    work = tmp_path_factory.mktemp("any")
    files = FolderFiles(work / "export")
    records = records_of(shop)
    exported(files, work, records, sizes=SMALL)
    searcher = searcher_of(files, work)

    for query in asked:
        expected = obvious(query, by_name(records), per_product=per_product)
        assert_answered(searcher.search(query.text, limit, per_product=per_product), expected, limit)
        groups = product_groups(query, records) if per_product else [[record] for _, record in expected]
        assert facets_of(searcher, query, per_product=per_product) == obvious_facets(groups)


@settings(max_examples=75)
@given(shops, st.lists(changes, min_size=1, max_size=3), st.lists(queries, min_size=1, max_size=3), st.booleans())
def test_any_query_finds_the_same_while_changes_come(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[Said | None, int]],
    batches: list[list[tuple[int, Said | str | None, int]]],
    asked: list[Query],
    per_product: bool,
) -> None:
    """One process goes on answering. Where scores are level, what changed comes last, in the order of the deltas."""
    shop = Shop(tmp_path_factory.mktemp("changing"))
    shop.put(*records_of(before))
    shop.stream.clear()
    shop.export(sizes=SMALL)
    newest, ranked = (
        shop.newest(),
        {record.observation.image: record for record in by_name(shop.table.records.values())},
    )
    for batch in [[], *batches]:
        for record in {f"{change[0]:02}": changed(*change) for change in batch}.values():
            shop.put(record)
            ranked.pop(record.observation.image, None)
            ranked[record.observation.image] = shop.table.records[record.observation.image]
        if batch:
            shop.record()
        records = list(ranked.values())
        for query in asked:
            expected = obvious(query, records, per_product=per_product)
            answer = newest.searcher().search(query.text, 3, per_product=per_product)
            assert_answered(answer, expected, 3)
            groups = product_groups(query, records) if per_product else [[record] for _, record in expected]
            assert facets_of(newest.searcher(), query, per_product=per_product) == obvious_facets(groups)


def changed(at: int, became: Said | str | None, product: int) -> Record:
    """Return what a photo became: gone, rejected, or what was said of it."""
    return gone(f"{at:02}.jpg") if isinstance(became, str) else photo(at, became, product)


def by_name(records: Iterable[Record]) -> list[Record]:
    """Return the records as an export has them."""
    return sorted(records, key=lambda record: str(record.observation.image))


def assert_answered(answer: SearchAnswer, expected: list[tuple[float, TaggedImage]], limit: int) -> None:
    """Fail unless the answer has that many results, of which the best are these."""
    assert answer.total == len(expected)
    assert [(hit.score, hit.image, hit.product, hit.keywords) for hit in answer.results] == [
        (score, str(record.observation.image), record.observation.product, record.keywords)
        for score, record in expected[:limit]
    ]


def facets_of(searcher: Searcher, query: Query, *, per_product: bool) -> dict[str, int]:
    """Return the facets of what the query finds."""
    facets = searcher.search(query.text, 1, per_product=per_product).facets
    return {facet.keyword: facet.count for facet in facets}


def obvious(query: Query, records: list[Record], *, per_product: bool) -> list[tuple[float, TaggedImage]]:
    """Return what is found, best first, and level ones as they stand."""
    tagged_ones = [record for record in records if isinstance(record, TaggedImage)]
    scored = [(score, record) for record in tagged_ones if (score := query.score(record)) is not None]
    ranked = sorted(scored, key=lambda each: -each[0])
    if not per_product:
        return ranked
    best: dict[str, tuple[float, TaggedImage]] = {}
    for score, record in ranked:
        best.setdefault(record.observation.product, (score, record))
    return list(best.values())


def product_groups(query: Query, records: list[Record]) -> list[list[TaggedImage]]:
    """Return the images that are found, by product."""
    groups: dict[str, list[TaggedImage]] = {}
    for _, record in obvious(query, records, per_product=False):
        groups.setdefault(record.observation.product, []).append(record)
    return list(groups.values())


def obvious_facets(groups: list[list[TaggedImage]]) -> dict[str, int]:
    """Return how many groups have an image that carries a keyword of each name, or one below it."""
    names: dict[str, set[str]] = {}
    for keyword in WORDS.emitted:
        names.setdefault(keyword.name(), set()).add(keyword.id)
    counts = {
        name: sum(any(carries(record, named) for record in group) for group in groups) for name, named in names.items()
    }
    assert len(counts) <= FACETS, "the small shop has few enough names to see all facets"
    return {name: count for name, count in counts.items() if count}


def carries(record: TaggedImage, named: set[str]) -> bool:
    """Return whether the record has one of the keywords, or one below it."""
    return any(named & {tag.keyword_id, *above(tag.keyword_id)} for tag in record.keywords)


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_images_are_read_once_and_postings_never(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path, sizes=SMALL)
    snapshot = open_latest(files, InPlace(files), "the export")
    searcher = Searcher(snapshot, WORDS)
    searcher.search("boot")
    after_first = snapshot.row_groups_read
    searcher.search("chair NOT mouse", per_product=True)

    assert all(name.startswith("images/") for name in after_first)
    assert snapshot.row_groups_read == after_first


def test_scores_of_keywords_are_kept_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_index, "KEPT_SCORE_BYTES", 2 * 4 * len(small_shop()))
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path)
    searcher = searcher_of(files, tmp_path)
    for query in ("boot", "chair", "mouse", "sneaker", "boot"):
        searcher.search(query)

    assert len(searcher._base.index._kept) <= 3
    assert searcher.search("boot").total == 3


def test_the_least_sure_come_first_by_the_query_or_by_the_surest_keyword(searcher: Searcher) -> None:
    everything = searcher.answer(SearchRequest("", may_be_empty=True, sort=Sort.LEAST_SURE)).results
    surest = [max((tag.score for tag in hit.keywords), default=0) for hit in everything]
    cranes = [hit.score for hit in searcher.answer(SearchRequest("crane", sort=Sort.LEAST_SURE)).results]

    assert surest == sorted(surest)
    assert surest[0] < surest[-1]
    assert cranes == sorted(cranes)
    assert len(cranes) > 1


def test_completions_count_what_the_filters_leave(searcher: Searcher) -> None:
    def images(filters: Filters) -> int:
        completions = Completer(WORDS).complete_query("cran", "en", searcher, filters=filters)
        return sum(completion.images for completion in completions)

    assert 0 < images(Filters(source=Source.HUMAN)) < images(Filters())
