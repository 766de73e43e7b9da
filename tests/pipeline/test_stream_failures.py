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
        aws.dynamodb.put_item(TableName=name, Item={"image": {"S": key}, "scores": {"B": b"\x00\xff"}})
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
        failures=StreamFailures(SqsDeadLetters(aws.sqs, url, "", long_poll_s=0), streams, functions),
        add=lambda body="": aws.sqs.send_message(QueueUrl=url, MessageBody=body or json.dumps(letter)),
    )
    aws.dynamodb.delete_table(TableName=name)


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
