"""Batches of the stream that a function could not pass on come back to it, from the stream itself."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pipeline.aws.clients import client
from pipeline.aws.sqs import SqsDeadLetters
from pipeline.aws.stream_failures import StreamFailures
from tests.aws_world import AwsWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop-notify"


class Functions:
    """Keeps what functions are called with; ``fails`` makes them fail."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.fails = False

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        assert FunctionName == FUNCTION
        self.events.append(json.loads(Payload))
        return {"StatusCode": 200} | ({"FunctionError": "Unhandled"} if self.fails else {})


@pytest.fixture
def world(ministack: str, aws_environment: None) -> Iterator[SimpleNamespace]:
    """A table with a stream of four changes, the queue of its failures, and functions."""
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
        put(aws, name, key, revision=1)
    streams, arn = client("dynamodbstreams", ministack), made["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = streams.get_records(ShardIterator=start)["Records"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    url, functions = aws.queue(), Functions()
    batch = {"shardId": shard, "startSequenceNumber": numbers[1], "endSequenceNumber": numbers[2], "streamArn": arn}
    letter = {"requestContext": {"functionArn": FUNCTION}, "DDBStreamBatchInfo": batch}
    yield SimpleNamespace(
        functions=functions,
        failures=StreamFailures(SqsDeadLetters(aws.sqs, url, "", long_poll_s=0), streams, functions, aws.dynamodb),
        put=lambda key, revision: put(aws, name, key, revision),
        remove=lambda key: aws.dynamodb.delete_item(TableName=name, Key={"image": {"S": key}}),
        add=lambda body="": aws.sqs.send_message(QueueUrl=url, MessageBody=body or json.dumps(letter)),
    )
    aws.dynamodb.delete_table(TableName=name)


def put(aws: AwsWorld, table: str, key: str, revision: int) -> None:
    """Write an item, which the stream tells of."""
    item = {"image": {"S": key}, "scores": {"B": b"\x00\xff"}, "revision": {"N": str(revision)}}
    aws.dynamodb.put_item(TableName=table, Item=item)


def test_what_changed_again_or_was_removed_since_is_not_passed_on_as_it_was(world: SimpleNamespace) -> None:
    world.add()
    world.put("b", revision=2)
    assert world.failures.resend(world.failures.receive()) == ()
    [event] = world.functions.events
    assert [record["dynamodb"]["NewImage"]["image"]["S"] for record in event["Records"]] == ["c"]

    world.add()
    world.remove("c")
    assert world.failures.resend(world.failures.receive()) == ()
    assert len(world.functions.events) == 1


def test_a_function_gets_its_batch_once_more_and_the_letter_is_gone(world: SimpleNamespace) -> None:
    world.add()
    letters = world.failures.receive()

    assert [letter.reason for letter in letters] == ["shop_notify"]
    assert world.failures.resend(letters) == ()
    [event] = world.functions.events
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    assert [image["image"]["S"] for image in images] == ["b", "c"]
    assert images[0]["scores"]["B"] == base64.b64encode(b"\x00\xff").decode()
    assert all(record["eventSourceARN"] for record in event["Records"])
    assert world.failures.depth().waiting + world.failures.depth().in_flight == 0


def test_a_function_that_fails_again_keeps_its_letter(world: SimpleNamespace) -> None:
    world.add()
    world.functions.fails = True
    letters = world.failures.receive()

    assert world.failures.resend(letters) == letters
    world.failures.release(letters)
    assert world.failures.depth().waiting == 1


def test_a_batch_that_the_stream_has_forgotten_keeps_its_letter(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgotten(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetRecords")

    world.add()
    monkeypatch.setattr(world.failures.streams, "get_records", forgotten)
    letters = world.failures.receive()

    assert world.failures.resend(letters) == letters
    assert world.functions.events == []


def test_a_message_of_somebody_else_stays(world: SimpleNamespace) -> None:
    for body in ("hello", "[]", '{"requestContext": {}}'):
        world.add(body)
    letters = world.failures.receive()

    assert world.failures.resend(letters) == letters
