"""Records of batches that a function could not pass on go through the stream once more, as they are now."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from pipeline.aws.clients import client
from pipeline.aws.sqs import SqsDeadLetters
from pipeline.aws.stream_failures import StreamFailures
from pipeline.aws.websocket import ApiGatewayConnections
from pipeline.errors import RetryLater
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.memory.watchers import MemoryWatchers
from pipeline.records import TaggedImage
from pipeline.table_layout import to_item
from pipeline.watchers import Waiting
from results_sink.notify import Notifier, make_notify_handler
from tests.aws_world import AwsWorld
from tests.builders import observation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

pytestmark = pytest.mark.slow
RETRIES = 3  # of a batch, in the template
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop-notify"


@pytest.fixture
def world(ministack: str, aws_environment: None) -> Iterator[SimpleNamespace]:
    """A table whose stream has four changes, and the queue of its failures, in which a letter names two of them."""
    aws = AwsWorld(ministack)
    name = f"{aws.name}-records"
    made = aws.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "image", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "image", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    for key in "abcd":
        put(aws, name, key, {"N": "1"})
    streams, arn = client("dynamodbstreams", ministack), made["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def changes() -> list[dict[str, Any]]:
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        return [record["dynamodb"] for record in records]

    numbers = [change["SequenceNumber"] for change in changes()]
    url = aws.queue()
    batch = {"shardId": shard, "startSequenceNumber": numbers[1], "endSequenceNumber": numbers[2], "streamArn": arn}
    letter = {"requestContext": {"functionArn": FUNCTION}, "DDBStreamBatchInfo": batch}

    def put_record(record: TaggedImage, revision: int) -> None:
        wire = {name: TypeSerializer().serialize(value) for name, value in to_item(record, revision).items()}
        aws.dynamodb.put_item(TableName=name, Item=wire)

    def add_letter_of(first: str, last: str) -> None:
        numbers = {"startSequenceNumber": first, "endSequenceNumber": last}
        body = letter | {"DDBStreamBatchInfo": batch | numbers}
        aws.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))

    yield SimpleNamespace(
        put_record=put_record,
        add_letter_of=add_letter_of,
        changes=changes,
        failures=StreamFailures(SqsDeadLetters(aws.sqs, url, "", long_poll_s=0), streams, aws.dynamodb),
        put=lambda key, revision: put(aws, name, key, revision),
        remove=lambda key: aws.dynamodb.delete_item(TableName=name, Key={"image": {"S": key}}),
        add=lambda body="": aws.sqs.send_message(QueueUrl=url, MessageBody=body or json.dumps(letter)),
        passed_on=lambda: [change["NewImage"] for change in changes()[len(numbers) :] if "NewImage" in change],
    )
    aws.dynamodb.delete_table(TableName=name)


def put(aws: AwsWorld, table: str, key: str, revision: dict[str, str]) -> None:
    """Write an item, which the stream tells of."""
    item = {"image": {"S": key}, "scores": {"B": b"\x00\xff"}, "revision": revision}
    aws.dynamodb.put_item(TableName=table, Item=item)


def test_the_records_of_a_batch_come_again_under_their_next_revision_and_the_letter_is_gone(
    world: SimpleNamespace,
) -> None:
    world.add()
    letters = world.failures.receive()

    assert [letter.reason for letter in letters] == ["shop_notify"]
    assert world.failures.resend(letters) == ()
    expected = [{"image": {"S": key}, "scores": {"B": b"\x00\xff"}, "revision": {"N": "2"}} for key in "bc"]
    assert world.passed_on() == expected
    assert world.failures.depth().waiting + world.failures.depth().in_flight == 0


class Gateway:
    """Amazon API Gateway's side of connections: out of order, until it is not."""

    def __init__(self) -> None:
        self.is_down, self.posted = True, []

    def post_to_connection(self, **post: Any) -> None:
        if self.is_down:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "PostToConnection")
        self.posted.append(post["ConnectionId"])


def test_who_waits_gets_the_result_when_the_gateway_is_back_and_the_batch_is_redriven(
    world: SimpleNamespace, now: datetime
) -> None:
    """AWS Lambda is played: it calls the function four times, and then names the batch in the queue of failures."""
    image, gateway, watchers = ImageRef("shop", "uploads/shoe-1.jpg"), Gateway(), MemoryWatchers()
    watchers.watch(image, Waiting("mine", "en"), now)
    handle = make_notify_handler(
        Notifier(watchers, ApiGatewayConnections(gateway), Vocabulary.load(), clock=lambda: now)
    )
    before = len(world.changes())
    world.put_record(TaggedImage(observation(image), (), (), 10, 10), 1)
    [change] = world.changes()[before:]
    for _ in range(1 + RETRIES):
        with pytest.raises(RetryLater):
            handle({"Records": [{"dynamodb": change | {"ApproximateCreationDateTime": now.timestamp()}}]}, None)
    world.add_letter_of(change["SequenceNumber"], change["SequenceNumber"])

    gateway.is_down = False
    assert world.failures.resend(world.failures.receive()) == ()
    [again] = world.changes()[before + 1 :]
    handle({"Records": [{"dynamodb": again | {"ApproximateCreationDateTime": now.timestamp()}}]}, None)

    assert gateway.posted == ["mine"]
    assert watchers.waiting_for(image, now) == []
    assert world.failures.depth().waiting + world.failures.depth().in_flight == 0


def test_a_record_that_changed_since_comes_again_as_it_is_now(world: SimpleNamespace) -> None:
    world.add()
    world.put("b", {"N": "7"})

    assert world.failures.resend(world.failures.receive()) == ()
    assert [(item["image"]["S"], item["revision"]["N"]) for item in world.passed_on()] == [
        ("b", "7"),
        ("b", "8"),
        ("c", "2"),
    ]


def test_an_item_that_was_removed_or_has_no_readable_revision_stays_as_it_is(world: SimpleNamespace) -> None:
    world.add()
    world.remove("b")
    world.put("c", {"S": "two"})

    assert world.failures.resend(world.failures.receive()) == ()
    assert [(item["image"]["S"], item["revision"]) for item in world.passed_on()] == [("c", {"S": "two"})]


def test_a_batch_that_the_stream_has_forgotten_keeps_its_letter(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgotten(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetRecords")

    world.add()
    letters = world.failures.receive()
    with monkeypatch.context() as patch:
        patch.setattr(world.failures.streams, "get_records", forgotten)
        assert world.failures.resend(letters) == letters

    assert world.passed_on() == []


def test_a_message_of_somebody_else_stays(world: SimpleNamespace) -> None:
    for body in ("hello", "[]", '{"requestContext": {}}'):
        world.add(body)
    letters = world.failures.receive()

    assert world.failures.resend(letters) == letters
