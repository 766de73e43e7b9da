"""Review and status: addresses of photos that have a record, ratings that mean something, and how tagging is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import CallerError
from pipeline.http.catalogue import KeywordRating
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.queue import MemoryQueue
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.ratings import Verdict, tallies
from pipeline.records import GoneImage, Observation, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from results_sink.http import photos, ratings, status
from tests.api_caller import ApiCaller, caller_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.records import Record, RecordSummary

SHOE = "n04120489"
DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load()


@pytest.fixture
def records(now: datetime) -> MemoryTable:
    """A table with a record of shop/a.jpg and shop/b.jpg."""
    return table_of(*(end(name, "tagged", now) for name in "ab"))


@pytest.fixture
def show(records: MemoryTable) -> ApiCaller:
    store = photos.CataloguePhotos(MemoryAddresses(), records, {"shop"})
    return caller_for(lambda app: photos.add_routes(app, store))


def test_photos_that_have_a_record_have_addresses_and_no_other_object_of_a_bucket_has(show: ApiCaller) -> None:
    answer = show.post("/v1/photos", {"images": ["s3://shop/a.jpg", "s3://other/b.jpg", "s3://shop/payroll.csv"]})

    assert list(answer.body["photos"]) == ["s3://shop/a.jpg"]
    assert answer.body["seconds"] == photos.SECONDS


@pytest.mark.parametrize("images", [None, "s3://shop/a.jpg", [1], ["shop/a.jpg"], ["s3://shop/a.jpg"] * 101])
def test_what_names_no_photos_is_a_mistake(show: ApiCaller, images: Any) -> None:
    assert show.post("/v1/photos", {"images": images}).status == 400


@pytest.fixture
def rating(vocabulary: Vocabulary, records: MemoryTable, clock) -> tuple[Any, MemoryRatings]:
    kept = MemoryRatings()
    store = ratings.KeywordRatingStore(kept, records, vocabulary, {"shop"}, clock)
    anna = {"jwt": {"claims": {"email": "anna"}}}
    caller = caller_for(lambda app: ratings.add_routes(app, store), authorizer=anna)

    def rate(*documents: Any) -> int:
        return caller.post("/v1/ratings", {"ratings": list(documents)}).status

    return rate, kept


def wrong(**changed: Any) -> dict[str, Any]:
    return {"image": "s3://shop/a.jpg", "keyword": SHOE, "verdict": "wrong", "model_version": "m"} | changed


def test_a_rating_is_kept_with_who_said_it(rating, now: datetime) -> None:
    rate, kept = rating

    assert rate(wrong()) == 201
    [stored] = kept.scan()
    assert (stored.keyword, stored.verdict, stored.by, stored.rated_at) == (SHOE, Verdict.WRONG, "anna", now)


def test_a_person_who_thinks_again_has_one_rating(rating) -> None:
    rate, kept = rating
    rate(wrong())
    rate(wrong(verdict="right"))

    assert [stored.verdict for stored in kept.scan()] == [Verdict.RIGHT]


def test_a_keyword_is_named_by_a_word_in_any_language_and_a_missing_one_may_be_new(rating, vocabulary) -> None:
    rate, kept = rating
    rate(wrong(keyword=vocabulary.nodes[SHOE].name("de")), wrong(keyword="Glitzer", verdict="missing"))

    assert {stored.keyword for stored in kept.scan()} == {SHOE, "glitzer"}


def test_a_person_is_told_their_own_ratings_of_an_image_and_nobody_elses(vocabulary, records, clock) -> None:
    store = ratings.KeywordRatingStore(MemoryRatings(), records, vocabulary, {"shop"}, clock)
    said = KeywordRating(image="s3://shop/a.jpg", keyword=SHOE, verdict=Verdict.WRONG, model_version="m")
    store.rate([said, said.model_copy(update={"image": "s3://shop/b.jpg"})], "anna")
    store.rate([said.model_copy(update={"verdict": Verdict.RIGHT})], "ben")

    assert [given.verdict for given in store.given("s3://shop/a.jpg", "anna")] == [Verdict.WRONG]
    with pytest.raises(CallerError, match="not a bucket"):
        store.given("s3://other/a.jpg", "anna")


def test_a_photo_that_was_only_classified_is_rated_by_its_content(rating) -> None:
    rate, kept = rating
    rate(wrong(image=DIGEST))

    assert [stored.image for stored in kept.scan()] == [DIGEST]


def test_a_rating_of_an_image_that_does_not_exist_is_refused_and_so_are_those_sent_with_it(rating) -> None:
    rate, kept = rating

    assert rate(wrong(), wrong(image="s3://shop/none.jpg")) == 404
    assert list(kept.scan()) == []


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [{}],
        [wrong(image="s3://other/a.jpg")],
        [wrong(image="sha256:0")],
        [wrong(keyword="no such word")],
        [wrong(keyword="")],
        [wrong(verdict="maybe")],
        [wrong(verdict=None)],
        [wrong(verdict=[])],
        [wrong(verdict={})],
        [wrong(verdict=5)],
        [wrong(model_version=5)],
        [wrong(keyword="x" * 100)],
        [wrong(keyword="\ud800x", verdict="missing")],
        [wrong(keyword=" ", verdict="missing")],
        [wrong(keyword="\u0301", verdict="missing")],  # an accent alone
        [wrong(keyword="\ufdfa" * 60, verdict="missing")],  # eighteen letters each
        [wrong(model_version="\ud800")],
        [wrong(), 5],
        [wrong()] * 51,
        [wrong(stars=5)],
    ],
)
def test_a_rating_that_means_nothing_is_a_mistake_and_nothing_is_kept(rating, documents: list[Any]) -> None:
    rate, kept = rating

    assert rate(*documents) == 400
    assert list(kept.scan()) == []


def test_ratings_are_summed_up_for_each_model_and_keyword(rating) -> None:
    rate, kept = rating
    rate(wrong(), wrong(image="s3://shop/b.jpg", verdict="right"), wrong(model_version="n"))

    sums = {(tally.model_version, tally.keyword): tally for tally in tallies(kept.scan())}
    assert (sums["m", SHOE].right, sums["m", SHOE].wrong, sums["m", SHOE].share_right) == (1, 1, 0.5)
    assert sums["n", SHOE].share_right == 0
    assert tallies([]) == []


def end(name: str, kind: str, observed_at: datetime) -> Record:
    """Return how an image ended."""
    observation = Observation(
        ImageRef("shop", f"{name}.jpg"), name, "upload", observed_at, '"e"', observed_at, "m", "t"
    )
    if kind in set(RejectReason):
        return RejectedImage(observation, RejectReason(kind), "the JPEG data is damaged")
    return (
        GoneImage(observation)
        if kind == "gone"
        else TaggedImage(observation, (KeywordTag(SHOE, 0.9),) * (kind == "tagged"), (), 10, 10)
    )


@dataclass
class CountingTable(MemoryTable):
    """Counts how often all of it is read."""

    scans: int = 0

    def summaries(self) -> Iterator[RecordSummary]:
        self.scans += 1
        return super().summaries()


def table_of(*records: Record) -> CountingTable:
    table = CountingTable()
    for record in records:
        table.put(record, 0)
    return table


def test_the_status_counts_queues_outcomes_and_minutes_and_shows_what_was_rejected(clock, now: datetime) -> None:
    queue, dead = MemoryQueue(), MemoryQueue()
    queue.send([TagImage(ImageRef("shop", "waits.jpg"))])
    ends = (("a", 0, "tagged"), ("b", 3, "bare"), ("c", 1, "corrupt"), ("d", 90, "gone"), ("e", 40, "bytes"))
    table = table_of(*(end(name, kind, now - timedelta(minutes=minutes)) for name, minutes, kind in ends))

    told = status.TaggingStatus(table, [status.TaggingQueue("uploads", queue, dead)], clock).document()

    assert told["queues"] == [{"name": "uploads", "waiting": 1, "in_flight": 0, "dead_letters": 0}]
    assert (told["tagged"], told["without_keyword"], told["gone"]) == (2, 1, 1)
    assert told["rejected"] == {"corrupt": 1, "bytes": 1}
    assert told["by_minute"][-4:] == [1, 0, 1, 1]
    assert sum(told["by_minute"]) == 3
    assert [(each["image"], each["reason"]) for each in told["rejections"]] == [
        ("s3://shop/c.jpg", "corrupt"),
        ("s3://shop/e.jpg", "bytes"),
    ]
    assert (told["complete"], told["rejected_complete"]) == (True, True)
    assert datetime.fromisoformat(told["counted_at"]) == now


def test_of_a_large_table_no_rate_is_said_and_rejections_are_those_of_all_of_it(clock, now: datetime) -> None:
    tagged = [end(f"a{at}", "tagged", now) for at in range(20)]
    rejected = [end(f"z{at}", "corrupt", now) for at in range(7)]

    told = status.TaggingStatus(table_of(*tagged, *rejected), [], clock, max_summaries=5).document()

    assert (told["complete"], told["by_minute"]) == (False, None)
    assert (told["rejected"], told["rejected_complete"], len(told["rejections"])) == ({"corrupt": 7}, True, 7)


def test_of_a_reason_that_very_many_have_some_are_counted_and_few_are_shown(clock, now: datetime) -> None:
    rejected = [end(f"{at:02}", "corrupt", now) for at in range(30)]

    told = status.TaggingStatus(table_of(*rejected, end("x", "bytes", now)), [], clock, max_of_a_reason=20).document()

    assert (told["rejected"], told["rejected_complete"]) == ({"corrupt": 20, "bytes": 1}, False)
    assert Counter(each["reason"] for each in told["rejections"]) == {"corrupt": 10, "bytes": 1}


def test_many_who_watch_the_status_read_the_table_once_in_half_a_minute(now: datetime) -> None:
    table, queue, times = table_of(end("a", "tagged", now)), MemoryQueue(), [now]
    asked = status.TaggingStatus(table, [status.TaggingQueue("uploads", queue, MemoryQueue())], lambda: times[-1])
    asked.document()
    queue.send([TagImage(ImageRef("shop", "waits.jpg"))])
    table.put(end("b", "tagged", now), 0)

    times.append(now + timedelta(seconds=29))
    soon = asked.document()
    assert (table.scans, soon["tagged"], soon["queues"][0]["waiting"]) == (1, 1, 1)

    times.append(now + timedelta(seconds=30))
    assert (asked.document()["tagged"], table.scans) == (2, 2)


def test_the_status_is_answered_in_the_form_that_the_document_promises(clock, now: datetime) -> None:
    tagging = status.TaggingStatus(table_of(end("c", "corrupt", now)), [], clock)

    answer = caller_for(lambda app: status.add_routes(app, tagging)).get("/v1/status")
    assert (answer.status, answer.body["rejected"]) == (200, {"corrupt": 1})
