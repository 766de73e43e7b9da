"""The function of S3 Batch Operations: each task becomes a message, and is answered for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from catalog_loader.batch_job import make_batch_handler
from pipeline.errors import BadMessage, RetryLater
from pipeline.images import ImageRef
from pipeline.memory.queue import MemoryQueue
from pipeline.messages import TagImage

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB = "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"
# As the AWS Lambda Developer Guide and the Amazon S3 User Guide publish it.
SCHEMA_1 = """{
    "invocationSchemaVersion": "1.0",
    "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
    "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"},
    "tasks": [
        {
            "taskId": "dGFza2lkZ29lc2hlcmUK",
            "s3Key": "customerImage1.jpg",
            "s3VersionId": "1",
            "s3BucketArn": "arn:aws:s3:::amzn-s3-demo-bucket"
        }
    ]
}"""
# As Powertools for AWS Lambda publishes it: the bucket by its name, and arguments of the job.
SCHEMA_2 = """{
    "invocationSchemaVersion": "2.0",
    "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
    "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce", "userArguments": {"k1": "v1", "k2": "v2"}},
    "tasks": [
        {
            "taskId": "dGFza2lkZ29lc2hlcmUK",
            "s3Key": "prefix/dataset/customerImage1.jpg",
            "s3VersionId": null,
            "s3Bucket": "amzn-s3-demo-bucket"
        }
    ]
}"""


@dataclass
class FailingQueue(MemoryQueue):
    """A queue that does not answer."""

    calls_left: list[str] = field(default_factory=list)

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        raise RetryLater(f"queue: ThrottlingException for {len(messages)}")


def event(*keys: str, text: str = SCHEMA_2) -> dict[str, Any]:
    """Return an invocation with a task for each key, as it stands in the manifest."""
    whole: dict[str, Any] = json.loads(text)
    task = whole["tasks"][0]
    return whole | {"tasks": [task | {"taskId": str(number), "s3Key": key} for number, key in enumerate(keys)]}


def codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what becomes of each task, with the reason."""
    return [(result["resultCode"], result["resultString"]) for result in answer["results"]]


@pytest.mark.parametrize(
    ("text", "schema", "key"),
    [(SCHEMA_1, "1.0", "customerImage1.jpg"), (SCHEMA_2, "2.0", "prefix/dataset/customerImage1.jpg")],
)
def test_the_published_events_are_sent_and_answered(text: str, schema: str, key: str) -> None:
    queue = MemoryQueue()

    answer = make_batch_handler(queue)(json.loads(text), None)

    assert list(queue.messages) == [TagImage(ImageRef("amzn-s3-demo-bucket", key), JOB)]
    assert json.loads(json.dumps(answer)) == {
        "invocationSchemaVersion": schema,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
        "results": [{"taskId": "dGFza2lkZ29lc2hlcmUK", "resultCode": "Succeeded", "resultString": "sent to be tagged"}],
    }


@pytest.mark.parametrize("text", [SCHEMA_1, SCHEMA_2])
def test_keys_are_decoded(text: str) -> None:
    queue = MemoryQueue()

    make_batch_handler(queue)(event("a+b%2Bc/gr%C3%B6%C3%9Fe.jpg", text=text), None)

    assert [message.image.key for message in queue.messages] == ["a b+c/größe.jpg"]


def test_what_is_no_picture_by_its_name_is_skipped_as_a_load_does() -> None:
    queue = MemoryQueue()

    answer = make_batch_handler(queue)(event("notes.txt", "folder/"), None)

    assert codes(answer) == [("Succeeded", "skipped: .txt"), ("Succeeded", "skipped: folder")]
    assert not queue.calls


def test_a_queue_that_does_not_answer_is_tried_again() -> None:
    answer = make_batch_handler(FailingQueue())(event("a.jpg"), None)

    assert codes(answer) == [("TemporaryFailure", "queue: ThrottlingException for 1")]


def test_each_task_is_answered_for_by_itself() -> None:
    queue = MemoryQueue(refuse={ImageRef("amzn-s3-demo-bucket", "refused.jpg")})

    answer = make_batch_handler(queue)(event("a.jpg", "refused.jpg", "k" * 1025, "b.jpg"), None)

    assert codes(answer) == [
        ("Succeeded", "sent to be tagged"),
        ("TemporaryFailure", "the queue did not take the message"),
        ("PermanentFailure", "a key has 1 to 1,024 bytes; this one has 1,025"),
        ("Succeeded", "sent to be tagged"),
    ]
    assert [result["taskId"] for result in answer["results"]] == ["0", "1", "2", "3"]


def test_a_task_of_an_access_point_is_refused_with_its_reason() -> None:
    wrong = event("a.jpg", text=SCHEMA_1)
    wrong["tasks"][0]["s3BucketArn"] = "arn:aws:s3:us-east-1:123456789012:accesspoint/photos"

    assert codes(make_batch_handler(MemoryQueue())(wrong, None)) == [
        ("PermanentFailure", "'accesspoint/photos' is not the name of a bucket")
    ]


def test_a_task_without_a_key_is_refused_with_its_reason() -> None:
    wrong = event("a.jpg")
    del wrong["tasks"][0]["s3Key"]

    assert codes(make_batch_handler(MemoryQueue())(wrong, None)) == [("PermanentFailure", "the task lacks 's3Key'")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"invocationSchemaVersion": "3.0"}, "the invocation's schema is '3.0'; it must be 1.0 or 2.0"),
        ({"job": {}}, "is no invocation of S3 Batch Operations: 'id'"),
        ({"job": {"id": "a b"}}, "is not the id of a run"),
        ({"tasks": ...}, "is no invocation of S3 Batch Operations: 'tasks'"),
    ],
)
def test_what_is_no_invocation_fails_as_a_whole(changes: dict[str, Any], problem: str) -> None:
    whole = {name: value for name, value in (event("a.jpg") | changes).items() if value is not ...}

    with pytest.raises(BadMessage, match=problem):
        make_batch_handler(MemoryQueue())(whole, None)
