"""The tagging function answers a batch with exactly the messages that must come again."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pipeline.errors import Denied, RetryLater
from pipeline.memory.deliveries import MemoryDeliveries
from pipeline.memory.images import MemoryImages
from pipeline.messages import TagImage
from pipeline.telemetry import Metric
from tests.builders import jpeg, shop, tagger
from tests.post import BACKFILL, CONTEXT, Post, sqs, uploaded


def handled(observation, *bodies: str) -> list[str]:
    """Return the ids of the messages that come again."""
    return Post(observation).handled(sqs(*bodies))


class Failing(MemoryImages):
    """A store in which everything that is slow by name fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def fetch(self, image, known_etag, limit_bytes):
        if image.key.startswith("slow"):
            raise self.error
        return super().fetch(image, known_etag, limit_bytes)


def test_s3_events_and_the_loaders_messages_are_both_understood():
    observation = tagger()
    observation.images.put(shop("a b+ü.jpg"), jpeg())
    observation.images.put(shop("b.jpg"), jpeg())
    assert handled(observation, uploaded("a+b%2B%C3%BC.jpg"), TagImage(shop("b.jpg"), "run-1").encode()) == []
    assert set(observation.table.records) == {shop("a b+ü.jpg"), shop("b.jpg")}


def test_s3s_test_event_is_acknowledged():
    assert handled(tagger(), json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"})) == []


def test_a_deletion_event_looks_and_finds_it_gone():
    observation = tagger()
    assert handled(observation, uploaded("a.jpg", "ObjectRemoved:Delete")) == []
    assert shop("a.jpg") in observation.table.records


def test_a_message_that_cannot_be_read_is_a_dead_letter_with_its_error_and_costs_its_neighbours_nothing():
    post = Post()
    post.reconciler.images.put(shop("a.jpg"), jpeg())
    assert post.handled(sqs("not JSON", TagImage(shop("a.jpg")).encode(), "{}")) == []
    assert post.uploads.bodies() == ["not JSON", "{}"]
    assert [letter.attributes["error"].split(":")[0] for letter in post.uploads.letters] == ["BadMessage"] * 2
    assert "is not JSON" in post.uploads.letters[0].attributes["error"]
    assert set(post.reconciler.table.records) == {shop("a.jpg")}


def test_a_dead_letter_rests_beside_the_queue_it_came_from():
    post = Post()
    post.handled(sqs("not JSON", arn=BACKFILL))
    assert (post.uploads.letters, post.backfill.bodies()) == ([], ["not JSON"])


class Closed(MemoryDeliveries):
    """A queue's other end that takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def postpone(self, waits_s):
        raise self.error

    def bury(self, body, error, run_id):
        raise self.error


@pytest.mark.parametrize("error", [RetryLater("throttled"), ValueError("what nobody thought of")])
def test_a_dead_letter_that_is_not_taken_comes_again_and_is_not_lost(error):
    post = Post(uploads=Closed(error))
    post.reconciler.images.put(shop("a.jpg"), jpeg())
    assert post.handled(sqs("not JSON", TagImage(shop("a.jpg")).encode())) == ["m0"]
    assert set(post.reconciler.table.records) == {shop("a.jpg")}


def test_a_wait_that_cannot_be_set_leaves_the_message_to_its_queues_own_time():
    post = Post(tagger(images=Failing(RetryLater("SlowDown"))), Closed(RetryLater("throttled")))
    assert post.handled(sqs(TagImage(shop("slow.jpg")).encode())) == ["m0"]


def test_the_message_of_a_queue_that_is_none_of_ours_comes_again_when_that_queue_says():
    post = Post()
    foreign = "arn:aws:sqs:us-east-1:000000000000:somebody-elses"
    assert post.handled(sqs("not JSON", arn=foreign)) == ["m0"]
    assert post.uploads.calls == post.backfill.calls == 0


def test_throttled_messages_wait_longer_each_time_and_never_die():
    post = Post(tagger(images=Failing(RetryLater("SlowDown"))))
    body = TagImage(shop("slow.jpg")).encode()
    waits_s = []
    for receives in (1, 2, 5, 20, 29):
        assert post.handled(sqs(body, receives=receives)) == ["m0"]
        waits_s.append(post.uploads.waits_s.pop("r0"))
    assert waits_s == [5, 10, 80, 900, 900]
    assert post.uploads.letters == []


def test_a_permission_that_is_missing_is_nobodys_bad_image():
    post = Post(tagger(images=Failing(Denied("AWS answers ExpiredToken"))))
    assert post.handled(sqs(TagImage(shop("slow.jpg")).encode(), receives=20)) == ["m0"]
    assert post.uploads.letters == []
    assert post.reconciler.table.records == {}


def test_a_bug_is_tried_five_times_and_then_a_dead_letter_with_its_place_and_its_run():
    post = Post(tagger(images=Failing(ZeroDivisionError("the attacker's text"))))
    body = TagImage(shop("slow.jpg"), "20260301T120000Z-abc123").encode()
    for receives in range(1, 5):
        assert post.handled(sqs(body, receives=receives)) == ["m0"]
    assert post.handled(sqs(body, receives=5)) == []
    (letter,) = post.uploads.letters
    assert letter.body == body
    assert letter.attributes["error"].startswith("ZeroDivisionError in fetch (test_tag_messages.py, line ")
    assert letter.attributes["run"] == "20260301T120000Z-abc123"


def test_what_there_was_no_time_for_comes_again_at_once_and_is_no_failure(capsys):
    post = Post()
    post.reconciler.images.put(shop("a.jpg"), jpeg())
    late = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 10_000})
    bodies = [TagImage(shop(key)).encode() for key in ("a.jpg", "b.jpg")]
    assert post.handled(sqs(*bodies, receives=25), late) == ["m0", "m1"]
    assert post.uploads.waits_s == {"r0": 0, "r1": 0}
    assert post.uploads.letters == []
    emitted = metrics_in(capsys)
    assert emitted[Metric.NOT_BEGUN] == [1, 1]
    assert Metric.RETRIED not in emitted


def test_the_waits_of_a_whole_batch_are_one_call():
    post = Post(tagger(images=Failing(RetryLater("SlowDown"))))
    bodies = [TagImage(shop(f"slow-{number}.jpg")).encode() for number in range(10)]
    assert len(post.handled(sqs(*bodies))) == 10
    assert post.uploads.calls == 1


def test_a_batch_in_which_all_is_well_costs_its_queue_no_call():
    post = Post()
    post.reconciler.images.put(shop("a.jpg"), jpeg())
    post.handled(sqs(TagImage(shop("a.jpg")).encode(), TagImage(shop("gone.jpg")).encode()))
    assert post.uploads.calls == 0


def test_a_rejected_image_is_recorded_and_acknowledged():
    observation = tagger()
    observation.images.put(shop("a.jpg"), b"%PDF-1.7")
    assert handled(observation, TagImage(shop("a.jpg")).encode()) == []
    assert observation.table.records[shop("a.jpg")].reason == "not_image"


@pytest.mark.parametrize("error", [RetryLater("SlowDown"), ValueError("a bug")])
def test_what_may_succeed_later_goes_back_alone_also_when_the_whole_batch_failed(error: Exception):
    observation = tagger(images=Failing(error))
    observation.images.put(shop("a.jpg"), jpeg())
    slow, good = TagImage(shop("slow.jpg")).encode(), TagImage(shop("a.jpg")).encode()
    assert handled(observation, slow, good) == ["m0"]
    assert handled(observation, slow, slow) == ["m0", "m1"]


def test_a_message_of_several_images_comes_again_when_one_of_them_must():
    two = json.dumps({"Records": [json.loads(uploaded(key))["Records"][0] for key in ("a.jpg", "slow.jpg")]})
    observation = tagger(images=Failing(RetryLater("SlowDown")))
    observation.images.put(shop("a.jpg"), jpeg())
    assert handled(observation, two) == ["m0"]
    assert set(observation.table.records) == {shop("a.jpg")}


def metrics_in(capsys) -> dict[str, list[float]]:
    """Return the values of each metric that was emitted."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    emitted = next(line for line in lines if "_aws" in line)
    names = [metric["Name"] for metric in emitted["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return {name: emitted[name] for name in names}


def test_the_metrics_of_a_batch_count_each_ending(capsys):
    observation = tagger()
    observation.images.put(shop("a.jpg"), jpeg())
    observation.images.put(shop("b.jpg"), b"")
    handled(observation, *(TagImage(shop(key)).encode() for key in ("a.jpg", "b.jpg", "gone.jpg")), "not JSON")
    counted = (Metric.TAGGED, Metric.REJECTED, Metric.GONE, Metric.BAD_MESSAGES, Metric.DEAD_LETTERED)
    emitted = metrics_in(capsys)
    assert {name: emitted[name] for name in counted} == {name: [1] for name in counted}


def test_the_average_of_a_metric_is_how_often_a_content_was_known(capsys):
    observation = tagger()
    for key in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        observation.images.put(shop(key), jpeg())
    handled(observation, *(TagImage(shop(key)).encode() for key in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")))
    assert sorted(metrics_in(capsys)[Metric.CONTENTS_RECOGNISED]) == [0, 1, 1, 1]
