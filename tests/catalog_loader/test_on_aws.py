"""The commands on emulators of AWS, with what they cost counted in calls."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from catalog_loader.commands import audit as audit_command
from catalog_loader.commands import load as load_command
from catalog_loader.commands.load import LoadRequest
from catalog_loader.compare import Versions
from catalog_loader.connect import BACKFILL, UPLOADS, Connected
from catalog_loader.console import Console
from catalog_loader.status import WatchedQueue
from pipeline.aws import clients, dynamodb, s3, sqs
from pipeline.aws.cloudwatch import oldest_message_s
from pipeline.aws.sqs import SqsDeadLetters
from pipeline.images import BucketPrefix, ImageRef
from pipeline.memory.probe import MemoryProbe
from pipeline.messages import decode
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.records import Observation, TaggedImage
from tests.aws_world import ODD_KEYS, AwsWorld, answer, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

TO_A_PERSON, TO_A_PROGRAM = Console(False, print, print), Console(True, print, print)


class Shop:
    """A bucket, a table and the queues, empty."""

    def __init__(self, world: AwsWorld) -> None:
        """Make them."""
        self.world, self.bucket, self.table_name = world, world.bucket(), world.table()
        self.urls = {
            name: world.sqs.create_queue(QueueName=f"{world.name}-{name}")["QueueUrl"]
            for name in (UPLOADS, BACKFILL, "dead")
        }

    def connect(self) -> Connected:
        """Return them as the commands find them connected."""
        queues = {name: sqs.SqsQueue(self.world.sqs, self.urls[name]) for name in (UPLOADS, BACKFILL)}
        dead = {
            name: SqsDeadLetters(self.world.sqs, self.urls["dead"], self.urls[name], long_poll_s=0) for name in queues
        }
        return Connected(
            s3.S3Images(self.world.s3),
            dynamodb.DynamoTable(self.world.dynamodb, self.table_name),
            queues,
            dead,
            SqsDeadLetters(self.world.sqs, self.urls["dead"], "", long_poll_s=0),
            tuple(WatchedQueue(name, queue, dead[name], lambda: None) for name, queue in queues.items()),
            tuple,
            self.bucket,
            partial(s3.S3Files, self.world.s3),
            MemoryProbe(),  # there is no function here
            lambda: ProductPattern.parse(DEFAULT_PRODUCT_PATTERN),
        )

    def put(self, *keys: str) -> None:
        """Put photos into the bucket."""
        for key in keys:
            self.world.s3.put_object(Bucket=self.bucket, Key=key, Body=b"photo")

    def received(self) -> list[str]:
        """Return the keys that the messages of the backfill ask for, sorted, and hide them."""
        keys: list[str] = []
        while found := self._receive():
            keys += [message.image.key for body in found for message in decode(body["Body"])]
        return sorted(keys)

    def _receive(self) -> list[Any]:
        answered = self.world.sqs.receive_message(QueueUrl=self.urls[BACKFILL], MaxNumberOfMessages=10)
        return list(answered.get("Messages", ()))


@pytest.fixture(params=["moto", pytest.param("ministack", marks=pytest.mark.slow)])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """An empty shop on each emulator."""
    request.getfixturevalue("aws_environment")
    if request.param == "ministack":
        yield Shop(AwsWorld(request.getfixturevalue("ministack")))
    else:
        from moto import mock_aws  # noqa: PLC0415 - it takes a while, and the other emulator needs none of it

        with mock_aws():
            yield Shop(AwsWorld(None))


def test_25_photos_are_three_sends_and_two_listings_of_which_one_shows_their_products(shop: Shop) -> None:
    keys = [f"{at:02}.jpg" for at in range(25)]
    shop.put(*keys)
    shop.world.calls.clear()

    assert load_command.load(LoadRequest(f"s3://{shop.bucket}/"), shop.connect, TO_A_PERSON) == 0

    assert shop.world.calls == Counter({"SendMessageBatch": 3, "ListObjectsV2": 2})
    assert shop.received() == keys


def test_only_the_missing_of_250_photos_cost_three_reads_more(shop: Shop) -> None:
    keys = [f"{at:03}.jpg" for at in range(250)]
    shop.put(*keys)
    shop.world.calls.clear()

    assert load_command.load(LoadRequest(f"s3://{shop.bucket}/", only=("missing",)), shop.connect, TO_A_PERSON) == 0

    assert shop.world.calls == Counter({"SendMessageBatch": 25, "BatchGetItem": 3, "ListObjectsV2": 2})


def test_odd_keys_arrive_as_they_lie_in_the_bucket(shop: Shop) -> None:
    shop.put(*ODD_KEYS)

    assert load_command.load(LoadRequest(f"s3://{shop.bucket}/"), shop.connect, TO_A_PERSON) == 0

    assert shop.received() == sorted(ODD_KEYS)


def test_an_audit_finds_the_gap_and_closes_it(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.put("tagged.jpg", "missing.jpg")
    shop.world.sqs.send_message(QueueUrl=shop.urls["dead"], MessageBody="garbage")
    table = dynamodb.DynamoTable(shop.world.dynamodb, shop.table_name)
    [listed] = [one for one in _listing(shop) if one.image.key == "tagged.jpg"]
    table.put(_tagged(listed.image, listed.etag, listed.modified_at), 0)
    table.put(_tagged(ImageRef(shop.bucket, "orphan.jpg"), '"e"', listed.modified_at), 0)

    place = f"s3://{shop.bucket}/"
    assert audit_command.audit(place, Versions(), shop.connect, TO_A_PROGRAM, enqueue=True) == 1

    found = json.loads(capsys.readouterr().out)
    assert (found["listed"], found["tagged"], found["missing"], found["orphaned"]) == (2, 1, 1, 1)
    assert (found["enqueued"], shop.received()) == (2, ["missing.jpg", "orphan.jpg"])


def _listing(shop: Shop) -> list[Any]:
    connected = shop.connect()
    return list(connected.images.listing(BucketPrefix(shop.bucket)))


def _tagged(image: ImageRef, etag: str, at: datetime) -> TaggedImage:
    return TaggedImage(Observation(image, "p", "r", at, etag, at, "m", "t"), (), (), 1, 1)


# ---- the age of the oldest message -----------------------------------------------------------------------------------


def test_the_age_is_the_newest_that_was_measured(aws_environment: None) -> None:
    assert aws_environment is None
    cloudwatch = clients.client("cloudwatch")
    points = [
        {"Timestamp": datetime(2026, 1, 1, 12, minute, tzinfo=UTC), "Maximum": age_s}
        for minute, age_s in ((1, 10.0), (3, 30.0), (2, 20.0))
    ]
    answer(cloudwatch, {"Datapoints": points}, {"Datapoints": []}, refusal("AccessDenied", 403))

    assert oldest_message_s(cloudwatch, "https://sqs.us-east-1.amazonaws.com/1/backfill") == 30
    assert oldest_message_s(cloudwatch, "https://queue") is None
    assert oldest_message_s(cloudwatch, "https://queue") is None
