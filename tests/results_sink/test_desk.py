"""The page's desk: photos of the catalogue alone, ratings that can be meant, and how tagging is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.errors import CallerError, RejectReason
from pipeline.http_event import Request
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory import MemoryQueue, MemoryTable
from pipeline.messages import TagImage
from pipeline.photo_addresses import MemoryAddresses
from pipeline.ratings import MemoryRatings, Verdict, tallies
from pipeline.records import GoneImage, Look, RejectedImage, TaggedImage
from results_sink import overview, photos, rate

SHOE = "n04120489"
DIGEST = "sha256:" + "0" * 64


def body(**fields: Any) -> Request:
    return Request("POST /x", body=json.dumps(fields).encode(), caller="anna")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load()


def test_photos_have_addresses_and_those_of_others_have_none() -> None:
    ask = photos.make_routes(photos.Photos(MemoryAddresses(), {"shop"}))["POST /photos"]

    told = json.loads(ask(body(images=["s3://shop/a.jpg", "s3://other/b.jpg"])).body)
    assert list(told["photos"]) == ["s3://shop/a.jpg"]
    assert told["seconds"] == photos.SECONDS


@pytest.mark.parametrize("images", [None, "s3://shop/a.jpg", [1], ["shop/a.jpg"], ["s3://shop/a.jpg"] * 101])
def test_what_names_no_photos_is_a_mistake(images: Any) -> None:
    ask = photos.make_routes(photos.Photos(MemoryAddresses(), {"shop"}))["POST /photos"]

    with pytest.raises(CallerError):
        ask(body(images=images))


@pytest.fixture
def rating(vocabulary: Vocabulary, clock) -> tuple[Any, MemoryRatings]:
    kept = MemoryRatings()
    return rate.make_routes(rate.Rater(kept, vocabulary, {"shop"}, clock))["POST /ratings"], kept


def wrong(**changed: Any) -> dict[str, Any]:
    return {"image": "s3://shop/a.jpg", "keyword": SHOE, "verdict": "wrong", "model_version": "m"} | changed


def test_a_rating_is_kept_with_who_said_it(rating, now: datetime) -> None:
    ask, kept = rating

    assert ask(body(**wrong())).status == 201
    [found] = kept.scan()
    assert (found.keyword, found.verdict, found.by, found.rated_at) == (SHOE, Verdict.WRONG, "anna", now)


def test_a_person_who_thinks_again_has_one_rating(rating) -> None:
    ask, kept = rating
    ask(body(**wrong()))
    ask(body(**wrong(verdict="right")))

    assert [each.verdict for each in kept.scan()] == [Verdict.RIGHT]


def test_a_keyword_is_named_by_a_word_in_any_language_and_a_missing_one_may_be_new(rating, vocabulary) -> None:
    ask, kept = rating
    ask(body(ratings=[wrong(keyword=vocabulary.nodes[SHOE].name("de")), wrong(keyword="Glitzer", verdict="missing")]))

    assert {each.keyword for each in kept.scan()} == {SHOE, "glitzer"}


def test_a_photo_that_lies_nowhere_is_rated_by_its_content(rating) -> None:
    ask, kept = rating
    ask(body(**wrong(image=DIGEST)))

    assert [each.image for each in kept.scan()] == [DIGEST]


@pytest.mark.parametrize(
    "said",
    [
        {},
        wrong(image="s3://other/a.jpg"),
        wrong(image="sha256:0"),
        wrong(keyword="no such word"),
        wrong(keyword=""),
        wrong(verdict="maybe"),
        wrong(verdict=None),
        wrong(verdict=[]),
        wrong(verdict={}),
        wrong(verdict=5),
        wrong(model_version=5),
        wrong(keyword="x" * 100),
        wrong(keyword="\ud800x", verdict="missing"),
        wrong(keyword=" ", verdict="missing"),
        wrong(keyword="\u0301", verdict="missing"),  # an accent alone
        wrong(keyword="\ufdfa" * 60, verdict="missing"),  # eighteen letters each
        wrong(model_version="\ud800"),
        {"ratings": []},
        {"ratings": "all"},
        {"ratings": [wrong(), 5]},
        {"ratings": [wrong()] * 51},
    ],
)
def test_a_rating_that_says_nothing_is_a_mistake_and_nothing_is_kept(rating, said: dict[str, Any]) -> None:
    ask, kept = rating

    with pytest.raises(CallerError):
        ask(body(**said))
    assert list(kept.scan()) == []


def test_ratings_are_summed_up_for_each_model_and_keyword(rating) -> None:
    ask, kept = rating
    ask(body(ratings=[wrong(), wrong(image="s3://shop/b.jpg", verdict="right"), wrong(model_version="n")]))

    sums = {(each.model_version, each.keyword): each for each in tallies(kept.scan())}
    assert (sums["m", SHOE].right, sums["m", SHOE].wrong, sums["m", SHOE].share_right) == (1, 1, 0.5)
    assert sums["n", SHOE].share_right == 0
    assert tallies([]) == []


def test_the_overview_counts_queues_ends_and_minutes_and_shows_what_was_rejected(clock, now: datetime) -> None:
    table, queue, dead = MemoryTable(), MemoryQueue(), MemoryQueue()
    queue.send([TagImage(ImageRef("shop", "waits.jpg"))])
    for name, minutes, kind in (("a", 0, "tagged"), ("b", 3, "bare"), ("c", 1, "rejected"), ("d", 90, "gone")):
        image = ImageRef("shop", f"{name}.jpg")
        look = Look(image, name, "upload", now - timedelta(minutes=minutes), '"e"', now, "m", "t")
        tags = (KeywordTag(SHOE, 0.9),) if kind == "tagged" else ()
        record = {
            "rejected": RejectedImage(look, RejectReason.CORRUPT, "the JPEG data is damaged"),
            "gone": GoneImage(look),
        }.get(kind, TaggedImage(look, tags, (), 10, 10))
        table.put(record, 0)

    told = overview.Overview(table, [overview.Line("uploads", queue, dead)], clock).document()

    assert told["queues"] == [{"name": "uploads", "waiting": 1, "in_flight": 0, "dead_letters": 0}]
    assert (told["tagged"], told["without_keyword"], told["gone"]) == (2, 1, 1)
    assert told["rejected"] == {"corrupt": 1}
    assert told["by_minute"][-4:] == [1, 0, 1, 1]
    assert sum(told["by_minute"]) == 3
    assert [(each["image"], each["reason"]) for each in told["rejections"]] == [("s3://shop/c.jpg", "corrupt")]
    assert told["complete"] is True
