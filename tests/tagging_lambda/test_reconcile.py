"""Looks converge to the truth of the bucket, whatever order the world takes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import pytest

from pipeline.errors import Denied, ImageRejected, NotBegun, RetryLater, RevisionConflict
from pipeline.listing import Listing
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.vectors import FeatureVector
from tagging_lambda.classification_cache import LEAST_TIME_S
from tagging_lambda.prefetch import AHEAD
from tagging_lambda.reconcile import CLOSING_S, TRIES, Outcome
from tests.builders import ColourClassifier, InlineReader, colour_vocabulary, jpeg, shop, tagger


def keywords(record: TaggedImage) -> list[str]:
    return [tag.keyword_id for tag in record.keywords]


def test_a_photo_is_tagged_with_the_keyword_and_its_parent():
    observation = tagger()
    etag = observation.images.put(shop("chair-7.jpg"), jpeg("red", (64, 48)))
    assert observation.reconcile([TagImage(shop("chair-7.jpg"), "run-1")]) == {shop("chair-7.jpg"): Outcome.TAGGED}
    record = observation.table.records[shop("chair-7.jpg")]
    assert keywords(record) == ["red", "paint"]
    assert (record.width_pixels, record.height_pixels) == (64, 48)
    assert (record.observation.etag, record.observation.run_id, record.observation.product) == (
        etag,
        "run-1",
        "chair-7",
    )
    assert record.revision == 1


def test_an_unchanged_photo_costs_one_fetch_and_neither_decode_nor_write():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    observation.reconcile([TagImage(shop())])
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.UNCHANGED}
    assert (observation.images.downloads, observation.classifier.pictures, observation.table.writes) == (1, 1, 1)


def test_an_unchanged_rejected_photo_costs_as_little():
    observation = tagger()
    observation.images.put(shop(), b"no picture")
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.REJECTED}
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.UNCHANGED}
    assert (observation.images.downloads, observation.table.writes) == (1, 1)


def test_a_replaced_photo_gets_the_new_keywords():
    observation = tagger()
    observation.images.put(shop(), jpeg("red"))
    observation.reconcile([TagImage(shop())])
    observation.images.put(shop(), jpeg("blue"))
    observation.reconcile([TagImage(shop())])
    record = observation.table.records[shop()]
    assert (keywords(record), record.revision) == (["blue", "paint"], 2)


def test_a_new_model_looks_again_at_the_same_photo():
    table, images = MemoryTable(), MemoryImages()
    images.put(shop(), jpeg())
    tagger(table=table, images=images).reconcile([TagImage(shop())])
    newer = tagger(table=table, images=images, classifier=ColourClassifier("colours-2"))
    assert newer.reconcile([TagImage(shop())]) == {shop(): Outcome.TAGGED}
    assert table.records[shop()].observation.model_version == "colours-2"


@pytest.mark.parametrize(("space", "downloads"), [("a" * 12, 1), ("b" * 12, 2)])
def test_a_photo_is_read_anew_if_its_vector_is_of_another_projection(space, downloads):
    table, images = MemoryTable(), MemoryImages()
    images.put(shop(), jpeg())
    seeing = tagger(table=table, images=images)
    seeing.reconcile([TagImage(shop())])
    record = table.records[shop()]
    table.put(replace(record, vector=FeatureVector("a" * 12, bytes(8), 1.0)), record.revision)
    seeing.classifier.projection = SimpleNamespace(space=space)
    seeing.reconcile([TagImage(shop())])
    assert images.downloads == downloads


def test_a_new_taxonomy_gives_new_keywords_without_download_or_inference():
    table, images = MemoryTable(), MemoryImages()
    images.put(shop(), jpeg())
    tagger(table=table, images=images).reconcile([TagImage(shop(), "run-1")])
    newer = tagger(table=table, images=images, vocabulary=colour_vocabulary("words-2"))
    assert newer.reconcile([TagImage(shop(), "run-2")]) == {shop(): Outcome.TAGGED}
    assert table.records[shop()].observation.taxonomy_version == "words-2"
    assert (images.downloads, newer.classifier.pictures) == (1, 0)


def test_a_deleted_photo_leaves_a_tombstone_that_expires_and_is_written_once():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    observation.reconcile([TagImage(shop())])
    observation.images.delete(shop())
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.GONE}
    record = observation.table.records[shop()]
    assert isinstance(record, GoneImage)
    assert (record.expires_at - record.observation.observed_at).days == 30
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.GONE}
    assert observation.table.writes == 2


def test_a_photo_that_comes_back_is_tagged_over_its_tombstone():
    observation = tagger()
    observation.reconcile([TagImage(shop())])
    observation.images.put(shop(), jpeg("green"))
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.TAGGED}
    assert keywords(observation.table.records[shop()]) == ["green", "paint"]


def test_a_bad_photo_is_recorded_with_its_reason_and_costs_its_neighbours_nothing():
    observation = tagger()
    observation.images.put(shop("good.jpg"), jpeg())
    observation.images.put(shop("bad.jpg"), jpeg()[:300])
    observation.images.put(shop("empty.jpg"), b"")
    outcomes = observation.reconcile([TagImage(shop(key)) for key in ("bad.jpg", "good.jpg", "empty.jpg")])
    assert outcomes[shop("good.jpg")] is Outcome.TAGGED
    rejected = observation.table.records[shop("bad.jpg")]
    assert isinstance(rejected, RejectedImage)
    assert rejected.reason is RejectReason.CORRUPT
    assert observation.table.records[shop("empty.jpg")].reason is RejectReason.EMPTY


def test_a_photo_over_the_limit_is_rejected_without_a_download():
    observation = tagger()
    observation.images.put(shop(), b"\xff\xd8\xff" + bytes(20 * 1024 * 1024))
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.REJECTED}
    assert observation.table.records[shop()].reason is RejectReason.BYTES
    assert observation.images.downloads == 0


def test_a_photo_over_the_limit_costs_one_conditional_request_the_second_time_and_no_write():
    observation = tagger()
    etag = observation.images.put(shop(), b"\xff\xd8\xff" + bytes(20 * 1024 * 1024))
    observation.reconcile([TagImage(shop(), "run-1")])
    seen = observation.table.records[shop()].observation
    assert (seen.etag, seen.object_time) == (etag, observation.images.objects[shop()].modified_at)
    assert observation.reconcile([TagImage(shop(), "run-2")]) == {shop(): Outcome.UNCHANGED}
    assert (observation.images.fetches, observation.images.downloads, observation.table.writes) == (2, 0, 1)
    observation.images.put(shop(), jpeg())
    assert observation.reconcile([TagImage(shop(), "run-3")]) == {shop(): Outcome.TAGGED}


class Locked(MemoryImages):
    """A bucket that is not ours to read."""

    def fetch(self, image, known_etag, limit_bytes):
        super().fetch(image, known_etag, limit_bytes)
        raise ImageRejected(RejectReason.DENIED, f"{image} is not ours to read")


def test_a_photo_that_is_still_not_ours_to_read_is_not_written_again_by_the_same_run():
    observation = tagger(images=Locked())
    assert observation.reconcile([TagImage(shop(), "run-1")]) == {shop(): Outcome.REJECTED}
    assert observation.reconcile([TagImage(shop(), "run-1")]) == {shop(): Outcome.UNCHANGED}
    assert (observation.images.fetches, observation.table.writes) == (2, 1)


def test_a_later_run_says_that_it_was_refused_too_and_so_does_another_product():
    """Without an ETag, the time of the look is all that an audit can hold against a newer object."""
    observation = tagger(images=Locked())
    observation.reconcile([TagImage(shop(), "run-1")])
    assert observation.reconcile([TagImage(shop(), "run-2")]) == {shop(): Outcome.REJECTED}
    assert observation.reconcile([TagImage(shop(), "run-2", product="boot")]) == {shop(): Outcome.REJECTED}
    record = observation.table.records[shop()]
    assert (record.observation.run_id, record.observation.product, record.revision) == ("run-2", "boot", 3)


def test_a_photo_asked_for_three_times_in_a_batch_is_looked_at_once_and_keeps_its_product():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    asks = [TagImage(shop(), product="chair"), TagImage(shop()), TagImage(shop())]
    assert observation.reconcile(asks) == {shop(): Outcome.TAGGED}
    assert (observation.images.fetches, observation.table.records[shop()].observation.product) == (1, "chair")


def test_a_product_that_a_manifest_named_outlives_later_uploads():
    observation = tagger()
    observation.images.put(shop(), jpeg("red"))
    observation.reconcile([TagImage(shop(), product="chair")])
    observation.images.put(shop(), jpeg("blue"))
    observation.reconcile([TagImage(shop())])
    assert observation.table.records[shop()].observation.product == "chair"


def test_a_photo_that_says_its_product_itself_is_that_products_until_a_manifest_says_another():
    observation = tagger()
    observation.images.put(shop(), jpeg(), product="stool")
    observation.reconcile([TagImage(shop())])
    assert observation.table.records[shop()].observation.product == "stool"
    observation.reconcile([TagImage(shop(), product="chair")])
    assert observation.table.records[shop()].observation.product == "chair"


def test_what_a_shop_says_of_a_product_stays_until_it_says_something_else_and_costs_no_inference():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    said = []
    for listing in (Listing("Chair"), None, Listing("Armchair", price="9 €"), Listing()):
        observation.reconcile([TagImage(shop(), listing=listing)])
        said.append(observation.table.records[shop()].observation.listing)
    assert said == [Listing("Chair"), Listing("Chair"), Listing("Armchair", price="9 €"), Listing()]
    assert observation.images.downloads == 1


def test_a_manifest_that_names_another_product_changes_it_without_inference():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    observation.reconcile([TagImage(shop(), product="chair")])
    observation.reconcile([TagImage(shop(), product="sofa")])
    assert observation.table.records[shop()].observation.product == "sofa"
    assert observation.classifier.pictures == 1


class Meddling(MemoryTable):
    """A table in which others write just before each of the first ``times`` writes."""

    def __init__(self, meddle, times: int) -> None:
        super().__init__()
        self.meddle, self.times = meddle, times

    def put(self, record, seen_revision: int) -> None:
        if self.times:
            self.times -= 1
            times, self.times = self.times, 0
            self.meddle()
            self.times = times
        super().put(record, seen_revision)


def test_a_look_that_is_stale_at_the_write_is_looked_at_again_and_ends_at_the_truth():
    images = MemoryImages()
    images.put(shop(), jpeg("red"))

    def replaced_and_tagged_meanwhile():
        images.put(shop(), jpeg("blue"))
        tagger(images=images, table=table).reconcile([TagImage(shop())])

    table = Meddling(replaced_and_tagged_meanwhile, times=1)
    assert tagger(images=images, table=table).reconcile([TagImage(shop())]) == {shop(): Outcome.UNCHANGED}
    assert keywords(table.records[shop()]) == ["blue", "paint"]


def test_a_photo_that_comes_and_goes_during_a_look_leaves_no_keywords_behind():
    """The look at its end finds the tombstone right and writes nothing that would stop the older write."""
    images = MemoryImages()

    def deleted_and_looked_at_meanwhile():
        images.delete(shop())
        assert tagger(images=images, table=table).reconcile([TagImage(shop())]) == {shop(): Outcome.GONE}

    table = Meddling(deleted_and_looked_at_meanwhile, times=0)
    tagger(images=images, table=table).reconcile([TagImage(shop())])
    images.put(shop(), jpeg("red"))
    table.times = 1
    assert tagger(images=images, table=table).reconcile([TagImage(shop())]) == {shop(): Outcome.GONE}
    assert isinstance(table.records[shop()], GoneImage)


@pytest.mark.parametrize("meanwhile", ["blue", "", "no picture"], ids=["replaced", "deleted", "damaged"])
def test_a_photo_that_is_what_it_was_when_a_look_ends_has_the_keywords_it_had(meanwhile: str):
    """As above: the last look finds the record right, and the one under way has seen the photo in between."""
    images = MemoryImages()
    images.put(shop(), jpeg("red"))

    def brought_back_and_looked_at_meanwhile():
        images.put(shop(), jpeg("red"))
        assert tagger(images=images, table=table).reconcile([TagImage(shop())]) == {shop(): Outcome.UNCHANGED}

    table = Meddling(brought_back_and_looked_at_meanwhile, times=0)
    tagger(images=images, table=table).reconcile([TagImage(shop())])
    images.delete(shop())
    if meanwhile:
        images.put(shop(), jpeg(meanwhile) if meanwhile == "blue" else meanwhile.encode())
    table.times = 1
    assert tagger(images=images, table=table).reconcile([TagImage(shop())]) == {shop(): Outcome.TAGGED}
    assert keywords(table.records[shop()]) == ["red", "paint"]


@pytest.mark.parametrize(
    "error", [ImageRejected(RejectReason.DENIED, "not ours"), RetryLater("SlowDown")], ids=["denied", "throttled"]
)
def test_a_write_over_a_record_asks_the_bucket_once_more_and_believes_what_it_says(error: Exception):
    class Closing(MemoryImages):
        """A bucket that answers the first read, and then no more."""

        fetches_left = 2

        def fetch(self, image, known_etag, limit_bytes):
            self.fetches_left -= 1
            if self.fetches_left < 0:
                raise error
            return super().fetch(image, known_etag, limit_bytes)

    observation = tagger(images=Closing())
    observation.images.put(shop(), jpeg("red"))
    observation.reconcile([TagImage(shop())])
    observation.images.put(shop(), jpeg("blue"))
    outcome = observation.reconcile([TagImage(shop())])[shop()]
    assert outcome is Outcome.REJECTED if isinstance(error, ImageRejected) else isinstance(outcome, RetryLater)


def test_a_first_record_costs_one_read_of_the_bucket_and_a_later_one_two():
    observation = tagger()
    observation.images.put(shop(), jpeg("red"))
    observation.reconcile([TagImage(shop())])
    assert observation.images.fetches == 1
    observation.images.put(shop(), jpeg("blue"))
    observation.reconcile([TagImage(shop())])
    assert (observation.images.fetches, observation.images.downloads) == (3, 2)


def test_a_rejected_photo_is_read_once_more_where_that_is_asked_for():
    class Mended(InlineReader):
        broken = True

        def read(self, data):
            if self.broken:
                raise ImageRejected(RejectReason.CORRUPT, "it ends the decoder")
            return super().read(data)

    observation = tagger(reader=Mended())
    observation.images.put(shop(), jpeg("red"))
    observation.reconcile([TagImage(shop())])
    observation.cache.reader.broken = False
    assert observation.reconcile([TagImage(shop())]) == {shop(): Outcome.UNCHANGED}
    assert observation.reconcile([TagImage(shop(), "run-2", again=True), TagImage(shop(), "run-2")]) == {
        shop(): Outcome.TAGGED
    }
    assert observation.reconcile([TagImage(shop(), "run-3", again=True)]) == {shop(): Outcome.UNCHANGED}


class Contended(MemoryTable):
    """A table in which others are always first. ``tries`` counts the writes."""

    tries = 0

    def put(self, record, seen_revision):
        self.tries += 1
        raise RevisionConflict("written by another look")


def test_a_photo_whose_record_changes_at_every_look_goes_back_to_its_queue():
    observation = tagger(table=Contended())
    observation.images.put(shop(), jpeg())
    assert isinstance(observation.reconcile([TagImage(shop())])[shop()], RevisionConflict)
    assert observation.table.tries == TRIES


@pytest.mark.parametrize("seed", range(20))
def test_two_looks_at_the_same_moment_never_leave_the_old_keywords(seed: int):
    """The object is replaced while many looks at it run in threads; the last event comes after the replacement."""
    images, table = MemoryImages(), MemoryTable()
    images.put(shop(), jpeg("red"))
    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(16) as inner:
        reconcilers = [tagger(images=images, table=table, pool=inner) for _ in range(4)]
        running = [pool.submit(reconciler.reconcile, [TagImage(shop())]) for reconciler in reconcilers]
        images.put(shop(), jpeg("blue"))
        while isinstance(tagger(images=images, table=table).reconcile([TagImage(shop())])[shop()], RetryLater):
            pass
        for each in running:
            each.result()
    assert keywords(table.records[shop()]) == ["blue", "paint"], seed


class Failing(MemoryImages):
    """A store in which some keys fail."""

    errors: dict[str, Exception]

    def fetch(self, image, known_etag, limit_bytes):
        if image.key in self.errors:
            raise self.errors[image.key]
        return super().fetch(image, known_etag, limit_bytes)


def test_a_throttle_and_a_bug_are_the_outcome_of_their_image_alone():
    images = Failing()
    images.errors = {"slow.jpg": RetryLater("SlowDown"), "odd.jpg": ZeroDivisionError()}
    for key in ("slow.jpg", "odd.jpg", "good.jpg"):
        images.put(shop(key), jpeg())
    observation = tagger(images=images)
    outcomes = observation.reconcile([TagImage(shop(key)) for key in ("slow.jpg", "odd.jpg", "good.jpg")])
    assert isinstance(outcomes[shop("slow.jpg")], RetryLater)
    assert isinstance(outcomes[shop("odd.jpg")], ZeroDivisionError)
    assert outcomes[shop("good.jpg")] is Outcome.TAGGED
    assert set(observation.table.records) == {shop("good.jpg")}


def test_a_bug_that_one_image_brings_out_anywhere_costs_its_neighbours_nothing():
    class Odd(MemoryTable):
        def get_many(self, images):
            if shop("record.jpg") in images:
                raise KeyError("observed_at")
            return super().get_many(images)

    class Fragile(InlineReader):
        def read(self, data):
            if data == b"reader":
                raise ZeroDivisionError
            return super().read(data)

    observation = tagger(table=Odd(), reader=Fragile())
    observation.images.put(shop("record.jpg"), jpeg())
    observation.images.put(shop("reader.jpg"), b"reader")
    observation.images.put(shop("good.jpg"), jpeg())
    outcomes = observation.reconcile(
        [TagImage(shop(key)) for key in ("record.jpg", "reader.jpg", "good.jpg", "gone.jpg")]
    )
    assert [type(outcomes[shop(key)]) for key in ("record.jpg", "reader.jpg")] == [KeyError, ZeroDivisionError]
    assert {*observation.table.records} == {shop("good.jpg"), shop("gone.jpg")}


@pytest.mark.parametrize("error", [RetryLater("throttled"), Denied("AWS answers AccessDenied")])
def test_a_table_that_does_not_answer_is_asked_once_for_the_whole_batch(error):
    class Throttled(MemoryTable):
        def get_many(self, images):
            self.reads += 1
            raise error

    observation = tagger(table=Throttled())
    assert observation.reconcile([TagImage(shop("a.jpg")), TagImage(shop("b.jpg"))]) == dict.fromkeys(
        map(shop, ("a.jpg", "b.jpg")), error
    )
    assert observation.table.reads == 1


def test_a_throttled_table_sends_the_whole_batch_back():
    class Throttled(MemoryTable):
        def get_many(self, images):
            raise RetryLater("ProvisionedThroughputExceededException")

    observation = tagger(table=Throttled())
    assert isinstance(observation.reconcile([TagImage(shop())])[shop()], RetryLater)


def photos(count: int) -> dict[str, bytes]:
    """Return that many photos, no two the same."""
    return {f"{number}.jpg": jpeg(size=(64 + number, 48)) for number in range(count)}


def test_near_the_deadline_no_image_is_begun_and_the_rest_comes_again_at_once():
    class SlowReader(InlineReader):
        reads = 0

        def read(self, data):
            self.reads += 1
            return super().read(data)

    reader = SlowReader()
    observation = tagger(reader=reader)
    for key, data in photos(12).items():
        observation.images.put(shop(key), data)
    outcomes = observation.reconcile(
        [TagImage(shop(key)) for key in photos(12)], lambda: LEAST_TIME_S + 6.5 - reader.reads
    )
    tagged = [image for image, outcome in outcomes.items() if outcome is Outcome.TAGGED]
    assert len(tagged) == 7
    assert all(isinstance(outcomes[image], NotBegun) for image in outcomes if image not in tagged)
    assert set(observation.table.records) == set(tagged)


def test_without_time_nothing_is_even_downloaded():
    observation = tagger()
    observation.images.put(shop(), jpeg())
    assert isinstance(observation.reconcile([TagImage(shop())], lambda: LEAST_TIME_S - 1)[shop()], NotBegun)
    assert observation.images.fetches == 0


def test_a_download_that_does_not_arrive_in_time_is_not_waited_for():
    released = Event()

    class Stuck(MemoryImages):
        def fetch(self, image, known_etag, limit_bytes):
            if image.key == "stuck.jpg":
                released.wait(60)
            return super().fetch(image, known_etag, limit_bytes)

    left_s = iter([LEAST_TIME_S + 0.05] * 2 + [LEAST_TIME_S - 1] * 9)
    with ThreadPoolExecutor(1) as pool:
        observation = tagger(images=Stuck(), pool=pool)
        outcomes = observation.reconcile(
            [TagImage(shop("stuck.jpg")), TagImage(shop("behind.jpg"))], lambda: next(left_s)
        )
        released.set()
    assert type(outcomes[shop("stuck.jpg")]) is RetryLater
    assert type(outcomes[shop("behind.jpg")]) is NotBegun
    assert observation.images.fetches == 1


def test_a_write_that_does_not_end_in_time_is_not_waited_for_and_is_safe_to_be_carried_out_later():
    released, carried_out = Event(), Event()

    class Hanging(MemoryTable):
        def put(self, record, seen_revision):
            if record.observation.image.key != "stuck.jpg":
                return super().put(record, seen_revision)
            released.wait(60)
            super().put(record, seen_revision)
            return carried_out.set()

    with ThreadPoolExecutor(2) as pool:
        observation = tagger(table=Hanging(), pool=pool)
        observation.images.put(shop("stuck.jpg"), jpeg("red"))
        observation.images.put(shop("good.jpg"), jpeg("blue"))

        def time_left_s():
            return CLOSING_S + 0.5 if observation.classifier.pictures == 2 else LEAST_TIME_S + 9

        outcomes = observation.reconcile([TagImage(shop("stuck.jpg")), TagImage(shop("good.jpg"))], time_left_s)
        assert outcomes[shop("good.jpg")] is Outcome.TAGGED
        assert isinstance(outcomes[shop("stuck.jpg")], RetryLater)
        released.set()
        assert carried_out.wait(60)
        assert observation.reconcile([TagImage(shop("stuck.jpg"))]) == {shop("stuck.jpg"): Outcome.UNCHANGED}


def test_a_stale_look_is_not_made_again_without_the_time_for_it():
    observation = tagger(table=Contended())
    observation.images.put(shop(), jpeg())
    outcomes = observation.reconcile([TagImage(shop())], lambda: LEAST_TIME_S + 1 - 2 * observation.table.tries)
    assert isinstance(outcomes[shop()], RevisionConflict)
    assert observation.table.tries == 1


def test_a_batch_reads_the_table_once_and_classifies_in_groups():
    observation = tagger()
    for key, data in photos(10).items():
        observation.images.put(shop(key), data)
    observation.reconcile([TagImage(shop(key)) for key in photos(10)])
    assert observation.table.reads == 1
    assert observation.classifier.batches == [4, 4, 2]


def test_downloads_never_run_far_ahead_of_the_reading():
    """At 20 MiB an image, a large batch must not be held in memory as a whole."""

    class Counting(MemoryImages):
        held = most = 0

        def fetch(self, image, known_etag, limit_bytes):
            self.held += 1
            self.most = max(self.most, self.held)
            return super().fetch(image, known_etag, limit_bytes)

    images = Counting()
    observation = tagger(images=images)
    classify = observation.classifier.classify

    def release(pixels):
        images.held -= len(pixels)
        return classify(pixels)

    observation.classifier.classify = release
    for key, data in photos(100).items():
        images.put(shop(key), data)
    observation.reconcile([TagImage(shop(key)) for key in photos(100)])
    assert images.most <= AHEAD
