"""The tagging function under AWS's own runtime client: answers, deadlines, a timeout and a crash."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline.aws.dynamodb import DynamoTable
from pipeline.images import ImageRef
from pipeline.messages import TagImage
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from tests.aws_world import AwsWorld
from tests.builders import jpeg
from tests.chaos.deployment import tiny_model
from tests.runtime_api import RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("awslambdaric")
pytestmark = pytest.mark.slow
START_LIMIT_S = 60  # chosen by us: a start takes a second on an idle machine
CALL_LIMIT_S = 120  # as the template says
SECONDS = 600  # a message that was received is seen by nobody else for as long


class Shop:
    """What the function works on, and the messages that wait for it."""

    def __init__(self, world: AwsWorld) -> None:
        self.world, self.bucket = world, world.bucket()
        self.table = DynamoTable(world.dynamodb, world.table())
        names = ("uploads", "uploads-dead", "backfill", "backfill-dead")
        self.urls = {name: world.sqs.create_queue(QueueName=f"{world.name}-{name}")["QueueUrl"] for name in names}

    def put(self, key: str, data: bytes) -> ImageRef:
        self.world.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        return ImageRef(self.bucket, key)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.world.sqs.send_message(QueueUrl=self.urls["uploads"], MessageBody=body)

    def event(self) -> dict[str, Any]:
        """Receive what waits, and return it as Lambda hands it over."""
        asked = {"MaxNumberOfMessages": 10, "VisibilityTimeout": SECONDS, "AttributeNames": ["All"]}
        messages = self.world.sqs.receive_message(QueueUrl=self.urls["uploads"], **asked).get("Messages", [])
        arn = f"arn:aws:sqs:us-east-1:{':'.join(self.urls['uploads'].split('/')[-2:])}"
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": arn,
                }
                for message in messages
            ]
        }

    def records(self, *images: ImageRef) -> list[type]:
        found = self.table.get_many(images)
        return [type(found.get(image)) for image in images]


@pytest.fixture
def shop(aws_environment: None, ministack: str) -> Shop:
    return Shop(AwsWorld(ministack))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "model")


@contextmanager
def running(shop: Shop, endpoint_url: str, model: Path) -> Iterator[tuple[RuntimeApi, psutil.Process]]:
    """Run the function until the block ends, and yield it once it waits for its first event."""
    told = {
        **{f"{name.upper().replace('-DEAD', '_DEAD_LETTER')}_QUEUE_URL": url for name, url in shop.urls.items()},
        "TABLE_NAME": shop.table.name,
        "MODEL_DIR": str(model),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "tag",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    }
    command = [sys.executable, "-m", "awslambdaric", "tagging_lambda.lambda_tag.handler"]
    with RuntimeApi() as api:
        environment = {**os.environ, **told, "AWS_LAMBDA_RUNTIME_API": api.address, "_HANDLER": command[-1]}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                assert api.started.wait(START_LIMIT_S)
                assert api.refused is None
                yield api, psutil.Process(process.pid)
            finally:
                process.kill()


def failures(call: Any) -> list[str]:
    """Return the ids of the messages that come again."""
    assert call.error is None
    assert call.ended.is_set()
    return [failure["itemIdentifier"] for failure in call.answer["batchItemFailures"]]


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of an AWS that takes every call and answers none."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_each_message_of_a_batch_has_its_end(shop: Shop, ministack: str, model: Path) -> None:
    good, bad, gone = shop.put("a b+ü.jpg", jpeg()), shop.put("b.jpg", jpeg()[:99]), ImageRef(shop.bucket, "c.jpg")
    shop.send(*(TagImage(image).encode() for image in (good, bad, gone)), "not JSON")
    with running(shop, ministack, model) as (api, _):
        assert failures(api.call(shop.event(), CALL_LIMIT_S)) == []
    assert shop.records(good, bad, gone) == [TaggedImage, RejectedImage, GoneImage]
    dead = shop.world.sqs.receive_message(QueueUrl=shop.urls["uploads-dead"], MessageAttributeNames=["All"])["Messages"]
    assert [(letter["Body"], letter["MessageAttributes"]["error"]["StringValue"][:11]) for letter in dead] == [
        ("not JSON", "BadMessage:")
    ]


def test_what_there_is_no_time_for_is_seen_again_at_once(shop: Shop, ministack: str, model: Path) -> None:
    images = [shop.put(f"{number}.jpg", jpeg()) for number in range(3)]
    shop.send(*(TagImage(image).encode() for image in images))
    with running(shop, ministack, model) as (api, _):
        event = shop.event()
        assert sorted(failures(api.call(event, 30))) == sorted(record["messageId"] for record in event["Records"])
        again = shop.event()
        assert len(again["Records"]) == 3
        assert failures(api.call(again, CALL_LIMIT_S)) == []
    assert shop.records(*images) == [TaggedImage] * 3


def test_a_reader_that_is_killed_between_two_batches_is_replaced(shop: Shop, ministack: str, model: Path) -> None:
    first, second = shop.put("a.jpg", jpeg("red")), shop.put("b.jpg", jpeg("blue"))
    with running(shop, ministack, model) as (api, function):
        shop.send(TagImage(first).encode())
        assert failures(api.call(shop.event(), CALL_LIMIT_S)) == []
        (reader,) = function.children()
        reader.kill()
        shop.send(TagImage(second).encode())
        assert failures(api.call(shop.event(), CALL_LIMIT_S)) == []
    assert shop.records(first, second) == [TaggedImage, TaggedImage]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSEGV], ids=["a timeout", "a crash"])
def test_a_function_that_ends_inside_a_batch_leaves_nothing_behind_and_loses_nothing(
    shop: Shop, ministack: str, model: Path, end: signal.Signals
) -> None:
    """Its time being over, AWS Lambda kills it; then the queue hands the messages over once more."""
    images = [shop.put(f"{number}.jpg", jpeg()) for number in range(2)]
    shop.send(*(TagImage(image).encode() for image in images))
    event = shop.event()
    with black_hole() as nowhere, running(shop, nowhere, model) as (api, function):
        readers = function.children()
        call = api.call(event, timeout_s=1)
        assert not call.ended.is_set()
        function.send_signal(end)
        function.wait()
    assert readers
    assert psutil.wait_procs(readers, timeout=START_LIMIT_S)[1] == []
    assert shop.records(*images) == [type(None)] * 2
    with running(shop, ministack, model) as (api, _):
        assert failures(api.call(event, CALL_LIMIT_S)) == []
    assert shop.records(*images) == [TaggedImage] * 2
