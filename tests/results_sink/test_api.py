"""The API answers what is asked, and says in a problem what cannot be answered."""

from __future__ import annotations

import base64
import inspect
import json
import math
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import RetryLater
from pipeline.http.catalogue import MAX_PRODUCTS
from pipeline.http.models import QUERY_MISTAKES
from pipeline.http.problems import MEDIA_TYPE
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import Listing
from pipeline.memory.files import MemoryFiles
from pipeline.memory.table import MemoryTable
from pipeline.records import ClassScore, Previous
from pipeline.vectors import FeatureVector
from results_sink.export.manifest import LATEST_NAME
from results_sink.search import query as query_module
from results_sink.search.newest import REFRESH_S
from tests.results_sink.asking import Asker, asker_of
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import NOW, exported, gone, rejected, small_vocabulary, table_of, tagged

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.records import Record, TaggedImage
    from tests.api_caller import ApiAnswer


LATER = NOW + timedelta(hours=1)


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return asker_of(tmp_path)


def assert_problem(told: ApiAnswer, status: int, *said: str) -> None:
    """Fail unless it is a problem of that status that says so."""
    assert told.status == told.body["status"] == status
    assert told.headers["content-type"] == MEDIA_TYPE
    assert set(told.body) - {"errors"} == {"type", "title", "status", "detail", "code"}
    assert told.body["type"] == f"urn:catalog-tagger:problem:{told.body['code']}"
    for each in said:
        assert each in told.body["detail"]


def with_vector(record: TaggedImage, *values: float) -> TaggedImage:
    return replace(record, vector=FeatureVector.of("0" * 12, np.array(values, np.float32)))


# ---- Similar products ------------------------------------------------------------------------------------------------


def test_similar_products_come_once_each_most_alike_first(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, similar_shop())

    similar = asker.get("/products/sneaker/similar").body["results"]
    assert [(result["product"], result["image"]) for result in similar] == [
        ("boot", "s3://shop/boot/1.jpg"),
        ("shop/chair", "s3://shop/shop/chair.jpg"),
    ]
    assert [result["score"] for result in similar] == pytest.approx([4 / 17**0.5, 0], abs=0.01)
    [most_alike] = asker.get("/products/shop/chair/similar", limit=1).body["results"]
    assert most_alike["image"] == "s3://shop/boot/2.jpg"


def test_a_product_without_a_vector_has_no_similar_ones_and_one_that_nobody_knows_is_missing(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, similar_shop())

    assert asker.get("/products/blind/similar").body["results"] == []
    assert_problem(asker.get("/products/none/similar"), 404, "'none'")


def test_what_changed_since_the_snapshot_is_similar_as_it_is_now(tmp_path: Path) -> None:
    files, table = MemoryFiles(), table_of(similar_shop())
    exported(files, tmp_path, similar_shop())
    shop = Shop(tmp_path, files, table)
    shop.put(gone("boot/1.jpg"))
    shop.put(with_vector(tagged("new.jpg", boot=0.9), 8, 1))
    shop.put(with_vector(tagged("shop/chair.jpg", chair=0.9), 2, 1))
    shop.record()
    asker = Asker(files, tmp_path, table)

    similar = asker.get("/products/sneaker/similar").body["results"]
    assert [result["image"] for result in similar] == [
        "s3://shop/new.jpg",
        "s3://shop/shop/chair.jpg",
        "s3://shop/boot/2.jpg",
    ]


def test_what_looks_like_an_image_is_found_by_product_or_by_image_and_never_the_image_itself(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, similar_shop())
    boot = {"image": "s3://shop/boot/1.jpg"}

    by_product = asker.post("/similar", json.dumps(boot)).body["results"]
    by_image = asker.post("/similar", json.dumps(boot | {"by": "image", "limit": 2})).body["results"]
    assert [result["product"] for result in by_product] == ["sneaker", "shop/chair"]
    assert [result["image"] for result in by_image] == ["s3://shop/sneaker.jpg", "s3://shop/boot/2.jpg"]


def test_a_photo_that_was_only_classified_is_searched_by_its_vector(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, similar_shop())
    vector = FeatureVector.of("0" * 12, np.array([0, 1], np.float32)).pack_text()
    elsewhere = FeatureVector.of("f" * 12, np.array([0, 1], np.float32)).pack_text()

    assert asker.post("/similar", json.dumps({"vector": vector})).body["results"][0]["product"] == "shop/chair"
    assert asker.post("/similar", json.dumps({"vector": elsewhere})).body["results"] == []


def test_who_asks_for_what_is_alike_names_one_thing_that_is_there(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, similar_shop())

    assert asker.post("/similar", json.dumps({"image": "s3://shop/blind.jpg"})).body["results"] == []
    assert_problem(asker.post("/similar", json.dumps({"image": "s3://shop/none.jpg"})), 404, "s3://shop/none.jpg")
    assert_problem(asker.post("/similar", json.dumps({})), 400, "either 'image'")
    assert_problem(asker.post("/similar", json.dumps({"vector": "AAAA"})), 400, "POST /v1/classify answered")


def test_what_the_shop_says_of_a_product_is_answered_and_searched_by_a_parameter_of_its_own(tmp_path: Path) -> None:
    files, boot = MemoryFiles(), tagged("a.jpg", "sku-7", boot=0.9)
    listing = Listing("Runner 7", url="https://shop.example/7")
    records: list[Record] = [replace(boot, observation=replace(boot.observation, listing=listing))]
    exported(files, tmp_path, [*records, tagged("b.jpg", "sku-8", boot=0.8)])
    asker = Asker(files, tmp_path, table_of(records))
    answer = {"title": "Runner 7", "brand": None, "price": None, "url": "https://shop.example/7", "tags": None}

    page = asker.get("/search", text="runner").body
    assert [(result["product"], result["listing"]) for result in page["results"]] == [("sku-7", answer)]
    assert asker.get("/search", text="runner", q="sneaker").body["total"] == 0
    assert asker.get("/images/shop/a.jpg").body["listing"] == answer


def test_a_forecast_counts_the_looks_that_are_left_for_what_a_query_finds(tmp_path: Path) -> None:
    asker = asker_of(tmp_path, [tagged("a.jpg", boot=0.5), tagged("b.jpg", boot=0.9), tagged("c.jpg", chair=0.1)])

    forecast = asker.get("/precision", q="boot", target=0.9).body
    assert {name: forecast[name] for name in ("photos", "decided", "keywords", "precision", "looks")} == {
        "photos": 2,
        "decided": 0,
        "keywords": 2,
        "precision": 0.7,
        "looks": 1,
    }
    assert asker.get("/precision").body["looks"] == 2
    assert_problem(asker.get("/precision", target=2), 400)


def similar_shop() -> list[Record]:
    return [
        with_vector(tagged("sneaker.jpg", sneaker=0.9), 1, 0),
        with_vector(tagged("boot/1.jpg", "boot", boot=0.9), 4, 1),
        with_vector(tagged("boot/2.jpg", "boot", boot=0.9), 1, 1),
        with_vector(tagged("shop/chair.jpg", chair=0.9), 0, 1),
        tagged("blind.jpg", chair=0.9),
    ]


# ---- Search ----------------------------------------------------------------------------------------------------------


def test_a_search_finds_products_by_their_best_image(asker: Asker) -> None:
    found = asker.get("/search", q="boot").body

    assert [(each["product"], each["image"]) for each in found["results"]] == [
        ("boot", "s3://shop/boot/1.jpg"),
        ("both", "s3://shop/both.jpg"),
    ]
    assert (found["total"], found["next"], found["changes"]) == (2, None, 0)
    assert {"keyword": "boot", "count": 2} in found["facets"]


def test_a_search_finds_images_where_they_are_asked_for(asker: Asker) -> None:
    assert asker.get("/search", q="boot", by="image").body["total"] == 3


def test_a_lowest_score_leaves_out_what_is_below_it(asker: Asker) -> None:
    assert asker.get("/search", q="boot", by="image", min=0.6).body["total"] == 2
    assert asker.get("/search", q="boot", min=0.99).body["results"] == []


def test_words_are_said_in_the_language_that_is_asked_for_and_understood_in_any(asker: Asker) -> None:
    found = asker.get("/search", q="botte", language="de").body

    assert {each["keyword"] for each in found["results"][0]["keywords"]} == {"Cowboystiefel", "Stiefel", "Schuhwerk"}
    assert {"keyword": "Stiefel", "count": 2} in found["facets"]


def test_pages_follow_each_other_without_gap_or_overlap(asker: Asker) -> None:
    whole = asker.get("/search", q="footwear OR chair", by="image").body["results"]
    paged, cursor = [], ""
    while cursor is not None:
        page = asker.get("/search", q="footwear OR chair", by="image", limit=2, cursor=cursor).body
        paged += page["results"]
        cursor = page["next"]

    assert len(whole) == 5
    assert paged == whole


@pytest.mark.parametrize("by", ["product", "image"])
def test_pages_of_a_state_are_whole_though_changes_go_on(tmp_path: Path, by: str) -> None:
    """Each product once, by its best photo, however its photos lie in the snapshot and in the deltas over it."""
    shop = Shop(tmp_path)
    shop.put(*(tagged(f"{at:02}.jpg", f"p{at % 7}", boot=at % 5 / 5) for at in range(30)))
    shop.stream.clear()
    shop.export()
    shop.put(*(tagged(f"{at:02}.jpg", f"p{at % 9}", boot=at % 4 / 4) for at in range(20, 40)))
    shop.put(gone("03.jpg"))
    shop.record()
    asker = Asker(shop.files, tmp_path)
    whole = asker.get("/search", q="boot", by=by, limit=100).body["results"]
    paged, cursor = [], ""
    while cursor is not None:
        page = asker.get("/search", q="boot", by=by, limit=4, cursor=cursor).body
        paged, cursor = paged + page["results"], page["next"]
        shop.put(gone(f"{len(paged):02}.jpg"), tagged(f"later/{len(paged)}.jpg", boot=1.0))
        shop.record()
        asker.clock.now_s += REFRESH_S

    assert len(whole) == {"product": 9, "image": 39}[by]
    assert len({each[by] for each in whole}) == len(whole)
    assert paged == whole
    assert asker.get("/search", q="boot", by=by, limit=100).body["results"] != whole


def test_a_page_is_of_the_snapshot_that_it_was_begun_on_though_a_newer_one_is_there(tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path)
    asker = Asker(files, tmp_path)
    first = asker.get("/search", q="boot", by="image", limit=1).body
    exported(files, tmp_path, [tagged("new.jpg", boot=1.0)], at=LATER)
    asker.clock.now_s = REFRESH_S
    newer = asker.get("/search", q="boot", by="image", limit=1).body
    second = asker.get("/search", q="boot", by="image", limit=1, cursor=first["next"]).body

    assert newer["results"][0]["image"] == "s3://shop/new.jpg"
    assert second["snapshot"] == first["snapshot"] != newer["snapshot"]
    assert second["results"][0]["image"] == "s3://shop/boot/2.jpg"


def test_a_page_whose_snapshot_is_gone_says_so(asker: Asker, tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path, at=LATER)
    cursor = Asker(files, tmp_path).get("/search", q="boot", limit=1).body["next"]

    assert_problem(asker.get("/search", q="boot", limit=1, cursor=cursor), 410, "the snapshot 2026", "search again")


def test_a_cursor_is_of_one_search_alone(asker: Asker) -> None:
    cursor = asker.get("/search", q="boot", limit=1).body["next"]

    for other in ({"q": "chair"}, {"min": 0.5}, {"by": "image"}, {"language": "de"}, {"sort": "newest"}):
        assert_problem(asker.get("/search", **{"q": "boot", "cursor": cursor, **other}), 400, "another search")
    for nonsense in ("x", "e30", "eyJwbGFjZSI6MX0", "%"):
        assert_problem(asker.get("/search", q="boot", cursor=nonsense), 400, "cursor")


def read_cursor(text: str) -> dict:
    """Return what a cursor says."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.mark.parametrize(
    "crafted",
    [
        {"offset": math.inf},
        {"offset": 1.5},
        {"offset": True},
        {"offset": "1"},
        {"offset": -1},
        {"offset": 10**400},
        {"search": None},
        {"state": {"snapshot": "20260301T120000.000000Z-id0", "last_delta": 7}},
        {"state": {"snapshot": "..", "last_delta": ""}},
        {"state": {"snapshot": "2026/../..", "last_delta": ""}},
        {"state": {"snapshot": "2026\0", "last_delta": ""}},
        {"state": {"snapshot": "2\ud800", "last_delta": ""}},
        {"state": {"snapshot": "2" * 1025, "last_delta": ""}},
        {"state": {"snapshot": ["2026"], "last_delta": ""}},
    ],
)
def test_a_cursor_that_somebody_made_up_is_the_callers_mistake(asker: Asker, crafted: dict) -> None:
    said = read_cursor(asker.get("/search", q="boot", limit=1).body["next"]) | crafted
    cursor = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    assert_problem(asker.get("/search", q="boot", limit=1, cursor=cursor), 400, "the cursor is none of this API's")


def test_a_cursor_is_of_the_words_that_it_was_begun_with(tmp_path: Path) -> None:
    """With other words the same query finds others, and pages would have gaps."""
    files = MemoryFiles()
    exported(files, tmp_path)
    cursor = Asker(files, tmp_path).get("/search", q="boot", limit=1).body["next"]
    later = Asker(files, tmp_path, vocabulary=small_vocabulary("words-2"))

    assert_problem(later.get("/search", q="boot", limit=1, cursor=cursor), 400, "another search")


def test_what_is_newest_is_looked_for_every_few_seconds_and_no_more_often(tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path)
    asker = Asker(files, tmp_path)
    before = asker.get("/healthz").body["snapshot"]
    exported(files, tmp_path, at=LATER)
    asker.clock.now_s = REFRESH_S - 0.1
    still = asker.get("/healthz").body["snapshot"]
    asker.clock.now_s = REFRESH_S

    assert still == before
    assert asker.get("/healthz").body["snapshot"] > before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"sort": "oldest"}, "query.sort: Input should be 'score', 'least_sure', 'newest' or 'image'"),
        ({"q": "boot", "limit": 101}, "query.limit: Input should be less than or equal to 100"),
        ({"q": "boot", "limit": "many"}, "query.limit"),
        ({"q": "boot", "min": 1.5}, "query.min: Input should be less than or equal to 1"),
        ({"q": "boot", "by": "shop"}, "query.by: Input should be 'product' or 'image'"),
        ({"q": "x" * 1001}, "query.q: String should have at most 1000 characters"),
    ],
)
def test_a_parameter_that_is_wrong_is_named_with_its_limit(asker: Asker, query: dict, said: str) -> None:
    assert_problem(asker.get("/search", **query), 400, said)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"q": "boot AND"}, "column"),
        ({"q": "boot", "language": "nl"}, "there are no words in the language 'nl'; choose one of en, de, fr, es"),
    ],
)
def test_a_query_that_is_wrong_is_answered_as_the_command_answers_it(asker: Asker, query: dict, said: str) -> None:
    assert_problem(asker.get("/search", **query), 400, said)


def test_before_the_first_export_only_the_search_has_to_wait(tmp_path: Path) -> None:
    asker = Asker(MemoryFiles(), tmp_path)

    told = asker.get("/search", q="boot")
    assert_problem(told, 503, "nothing has been exported yet")
    assert told.body["code"] == "no_export"
    assert asker.get("/healthz").body["snapshot"] is None
    assert asker.get("/suggest", q="boo").body["suggestions"][0]["images"] == 0
    assert asker.get("/images/shop/boot/1.jpg").status == 200


def test_an_export_that_is_damaged_is_no_lack_of_one(tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path)
    files.files[LATEST_NAME] = b"{"
    told = Asker(files, tmp_path).get("/search", q="boot")

    assert_problem(told, 503, "try again")
    assert told.body["code"] == "unavailable"


# ---- Filters and order -----------------------------------------------------------------------------------------------


@pytest.fixture
def sorted_out(tmp_path: Path) -> Asker:
    """An API over three photos: a sure one, one that needs a look and was seen last, and one that was rejected."""
    unsure = replace(tagged("b.jpg", boot=0.5), low_information=True)
    unsure = replace(unsure, observation=replace(unsure.observation, observed_at=LATER))
    sure = replace(tagged("a.jpg"), keywords=(KeywordTag("boot", 0.9, Source.HEAD),))
    return asker_of(tmp_path, [sure, unsure, rejected("c.jpg")])


@pytest.mark.parametrize(
    ("query", "images"),
    [
        ({}, ["a", "b"]),
        ({"q": "  "}, ["a", "b"]),
        ({"sort": "newest"}, ["b", "a"]),
        ({"q": "boot", "sort": "newest"}, ["b", "a"]),
        ({"needs_a_look": "true"}, ["b"]),
        ({"q": "boot", "needs_a_look": "false"}, ["a"]),
        ({"source": "head"}, ["a"]),
        ({"source": "human"}, []),
        ({"reason": str(rejected("c.jpg").reason)}, ["c"]),
    ],
)
def test_filters_and_order_need_no_query(sorted_out: Asker, query: dict[str, str], images: list[str]) -> None:
    results = sorted_out.get("/search", by="image", **query).body["results"]

    assert [hit["image"] for hit in results] == [f"s3://shop/{name}.jpg" for name in images]


def test_rejected_images_are_not_searched_by_words(sorted_out: Asker) -> None:
    answer = sorted_out.get("/search", q="boot", reason="corrupt")

    assert_problem(answer, 400, "leave out q, or reason")


def test_a_page_of_other_filters_is_not_continued(sorted_out: Asker) -> None:
    cursor = sorted_out.get("/search", by="image", limit=1).body["next"]

    assert_problem(sorted_out.get("/search", by="image", limit=1, source="head", cursor=cursor), 400, "another search")


@pytest.mark.parametrize(
    ("query", "code"), [('"boot', "open_quote"), ("boot OR", "word_missing"), ("boot min:2", "bad_min")]
)
def test_a_broken_query_has_the_code_of_its_mistake(asker: Asker, query: str, code: str) -> None:
    answer = asker.get("/search", q=query)

    assert_problem(answer, 400, "column")
    assert answer.body["code"] == code


def test_every_mistake_of_a_query_is_a_problem_that_the_document_names() -> None:
    codes = set(re.findall(r'(?:_mistake|BadQuery)\("(\w+)"', inspect.getsource(query_module)))

    assert codes == {str(code) for code in QUERY_MISTAKES}


def test_the_last_word_of_a_query_is_completed_with_the_images_it_would_leave(asker: Asker) -> None:
    completions = asker.get("/suggest", q="footwear boo", completes="query").body["suggestions"]

    assert [(each["query"], each["images"]) for each in completions] == [
        (query, asker.get("/search", q=query, by="image").body["total"])
        for query in ("footwear boot", "footwear cowboy boot")
    ]


# ---- Words -----------------------------------------------------------------------------------------------------------


def test_words_are_completed_in_one_language_those_on_most_images_first(asker: Asker) -> None:
    found = asker.get("/suggest", q="S", language="de").body["suggestions"]

    assert [each["word"] for each in found[:2]] == ["Schuhwerk", "Stiefel"]
    assert {each["word"] for each in found[2:]} == {"Stuhl", "Schaukelstuhl", "Sportgerät"}
    assert found == sorted(found, key=lambda each: -each["images"])


def test_a_word_inside_a_name_completes_to_the_name_and_comes_after_those_that_begin_so(asker: Asker) -> None:
    found = asker.get("/suggest", q="CHAIR").body["suggestions"]

    assert [each["word"] for each in found] == ["chair", "rocking chair"]


def test_case_and_accents_do_not_matter_to_a_completion(asker: Asker) -> None:
    found = asker.get("/suggest", q="equip", language="fr").body["suggestions"]

    assert [(each["word"], each["id"]) for each in found] == [("équipement de sport", "sports")]


def test_the_taxonomy_is_told_with_every_language(asker: Asker) -> None:
    told = asker.get("/keywords").body
    boot = next(each for each in told["keywords"] if each["id"] == "boot")

    assert told["languages"] == ["en", "de", "fr", "es"]
    assert boot == {
        "id": "boot",
        "words": {"en": ["boot", "bootee"], "de": ["Stiefel"], "fr": ["botte"], "es": ["bota"]},
        "parents": ["footwear"],
        "images": 3,
    }


# ---- Lookups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "image", "status"),
    [
        ("/images/shop/boot/1.jpg", "s3://shop/boot/1.jpg", "tagged"),
        ("/images/shop/crane é.jpg", "s3://shop/crane é.jpg", "tagged"),
        ("/images/shop/crane%20%C3%A9.jpg", "s3://shop/crane é.jpg", "tagged"),
        ("/images/shop/broken.jpg", "s3://shop/broken.jpg", "rejected"),
        ("/images/shop/gone.jpg", "s3://shop/gone.jpg", "gone"),
        ("/images/shop/undone.jpg", "s3://shop/undone.jpg", "undone"),
    ],
)
def test_an_image_is_told_as_it_is_in_the_table(asker: Asker, path: str, image: str, status: str) -> None:
    told = asker.get(path)

    assert told.status == 200
    assert (told.body["image"], told.body["status"]) == (image, status)


def test_a_key_with_a_percent_sign_is_found_as_a_client_encodes_it(tmp_path: Path) -> None:
    """API Gateway decodes a path, but for ``%25``."""
    record = tagged("50%20off.jpg", boot=0.9)
    asker = Asker(MemoryFiles(), tmp_path, MemoryTable({record.observation.image: record}))

    assert asker.get("/images/shop/50%2520off.jpg").body["image"] == "s3://shop/50%20off.jpg"


def test_a_product_has_each_keyword_of_its_images_once_with_its_best_score(asker: Asker) -> None:
    told = asker.get("/products/boot").body

    assert [image["image"] for image in told["images"]] == ["s3://shop/boot/1.jpg", "s3://shop/boot/2.jpg"]
    assert [(each["id"], each["score"]) for each in told["keywords"]] == [
        ("footwear", 0.95),
        ("boot", 0.9),
        ("cowboy-boot", 0.8),
    ]


def test_a_product_is_found_though_its_id_has_slashes(tmp_path: Path) -> None:
    record = tagged("a.jpg", "shoes/red/1", boot=0.9)
    asker = Asker(MemoryFiles(), tmp_path, MemoryTable({record.observation.image: record}))

    assert asker.get("/products/shoes/red/1").body["product"] == "shoes/red/1"
    assert asker.get("/products/shoes%2Fred%2F1").body["product"] == "shoes/red/1"


def test_many_products_are_told_at_once_and_those_that_are_missing(asker: Asker) -> None:
    told = asker.post("/products:batch", json.dumps({"ids": ["sneaker", "nothing at all", "boot", "sneaker"]})).body

    assert [each["product"] for each in told["products"]] == ["sneaker", "boot"]
    assert told["missing"] == ["nothing at all"]


def with_a_run_before(name: str) -> Record:
    """Return a photo of a product with all that is kept of one."""
    record = tagged(f"{name}.jpg", "many", boot=0.9, footwear=0.95)
    scores = (ClassScore(514, 0.9),)
    before = Previous(
        "run-0", record.observation.observed_at, "model-0", "words-0", record.keywords, scores, 8, 6, False
    )
    return replace(record, class_scores=scores, previous=before)


IN_DETAIL = {"classes", "model_keywords", "previous"}


def test_many_products_are_told_without_what_only_one_photo_is_looked_at_for(tmp_path: Path) -> None:
    asker = Asker(MemoryFiles(), tmp_path, table_of([with_a_run_before("1")]))
    [alone] = asker.get("/products/many").body["images"]
    [product] = asker.post("/products:batch", '{"ids": ["many"]}').body["products"]

    assert (alone["classes"][0]["class_index"], alone["previous"]["run_id"]) == (514, "run-0")
    assert product["images"] == [{each: alone[each] for each in alone if each not in IN_DETAIL}]


def test_what_is_larger_than_a_function_may_answer_is_a_problem_that_names_the_limit(tmp_path: Path) -> None:
    """AWS Lambda hands on no more than 6 MiB, of an answer whose every quotation mark is escaped."""
    product = [
        with_a_run_before(f"{number:0900}") for number in range(4_000)
    ]  # keys almost as long as Amazon S3 permits
    asker = Asker(MemoryFiles(), tmp_path, table_of(product))

    for told in (asker.get("/products/many"), asker.post("/products:batch", '{"ids": ["many"]}')):
        assert_problem(told, 413, "the limit is 6,291,456", "request less")
    fewer = Asker(MemoryFiles(), tmp_path, table_of(product[:600]))
    assert len(fewer.get("/products/many").body["images"]) == 600


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "JSON decode error"),
        ("{}", "ids: Field required"),
        ("[]", "body"),
        ('{"ids": []}', "at least 1 item"),
        (json.dumps({"ids": ["x"] * (MAX_PRODUCTS + 1)}), "at most 100 items"),
        (json.dumps({"ids": [""]}), "at least 1 character"),
        ('{"ids": [7]}', "valid string"),
    ],
)
def test_a_body_that_is_wrong_is_told_with_its_limit(asker: Asker, body: str, said: str) -> None:
    assert_problem(asker.post("/products:batch", body), 400, said)


def test_a_body_that_is_no_json_is_not_taken(asker: Asker) -> None:
    assert_problem(asker.post("/products:batch", "<ids/>", "application/xml"), 415, "application/xml")


def test_what_is_not_known_is_not_there(asker: Asker) -> None:
    assert_problem(asker.get("/images/shop/nothing.png"), 404, "nothing is known of s3://shop/nothing.png")
    assert_problem(asker.get("/products/nothing at all"), 404, "there is no image of the product 'nothing at all'")
    assert_problem(asker.get("/nothing"), 404, "there is nothing at /v1/nothing")


def test_a_key_that_no_bucket_can_hold_is_the_callers_mistake(asker: Asker) -> None:
    assert_problem(asker.get("/images/shop/" + "é" * 600), 400, "1,200")


def test_another_method_is_told_which_ones_there_are(asker: Asker) -> None:
    told = asker.ask("DELETE", "/search")

    assert_problem(told, 405, "/v1/search accepts GET, not DELETE")
    assert told.headers["allow"] == "GET"
    assert asker.ask("GET", "/products:batch").headers["allow"] == "POST"


def test_what_fails_on_our_side_is_not_told_to_the_caller(tmp_path: Path) -> None:
    class Throttled(MemoryTable):
        def get_many(self, images):
            raise RetryLater("Throttling of secret-table")

    told = Asker(MemoryFiles(), tmp_path, Throttled()).get("/images/shop/a.jpg")

    assert_problem(told, 503, "try again")
    assert "secret" not in json.dumps(told.body)
    assert told.headers["retry-after"] == "2"
