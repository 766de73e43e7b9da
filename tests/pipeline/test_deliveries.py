"""What the deliveries of a queue promise, asked of the fake and of SQS on two emulators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.sqs import FAILED_WAITS_S, SqsDeliveries
from pipeline.deliveries import MAX_ERROR_CHARACTERS, Delivery, QueueName, letter_attributes
from pipeline.errors import BadSettings, NoStack, RetryLater
from pipeline.memory.deliveries import MemoryDeliveries
from tests.aws_world import AwsWorld, answer, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import Deliveries

EMULATORS = ["moto", pytest.param("ministack", marks=pytest.mark.slow)]
SECONDS = 600  # a wait that no test sees the end of


@dataclass
class Line:
    """A queue's deliveries, and what rests in its dead-letter queue: bodies and what stands beside them."""

    deliveries: Deliveries
    letters: Callable[[], list[tuple[str, dict[str, str]]]]
    url: str = ""


@pytest.fixture
def line(world: AwsWorld | None) -> Line:
    """A queue with a dead-letter queue, both empty."""
    if world is None:
        fake = MemoryDeliveries()
        return Line(fake, lambda: [(letter.body, dict(letter.attributes)) for letter in fake.letters])
    url, dead_url = world.queue(), world.sqs.create_queue(QueueName=f"{world.name}-dead")["QueueUrl"]
    return Line(SqsDeliveries(world.sqs, url, dead_url), lambda: letters_in(world.sqs, dead_url), url)


def letters_in(sqs: Any, url: str) -> list[tuple[str, dict[str, str]]]:
    """Return every message of the queue with its attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    while messages := received(sqs, url):
        for message in messages:
            beside = {name: each["StringValue"] for name, each in message.get("MessageAttributes", {}).items()}
            found.append((message["Body"], beside))
    return found


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Return up to ten messages, which nobody else sees for a while."""
    asked = {"MaxNumberOfMessages": 10, "VisibilityTimeout": SECONDS, "MessageAttributeNames": ["All"]}
    return sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])


def test_a_buried_message_rests_as_it_came_with_the_error_and_the_run_beside_it(line: Line) -> None:
    body = '{"kind": "tag_image", "key": "ü \\u0001 😀"'
    line.deliveries.bury(body, "BadMessage: the message is not JSON", "20260301T120000Z-abc123")

    beside = {"error": "BadMessage: the message is not JSON", "run": "20260301T120000Z-abc123"}
    assert line.letters() == [(body, beside)]


@pytest.mark.parametrize("run_id", [None, "", "two\nlines", "<b>", "r" * 65, "\x00", "ü", "😀"])
def test_a_run_that_is_none_of_ours_is_left_out(line: Line, run_id: str | None) -> None:
    line.deliveries.bury("body", "an error", run_id)

    assert line.letters() == [("body", {"error": "an error"})]


@pytest.mark.parametrize("error", ["", "\x00\x1b[31m\n", "ü" * 1000, "\ud800", "x" * 10_000])
def test_an_error_of_any_text_can_stand_beside_a_letter(line: Line, error: str) -> None:
    line.deliveries.bury("body", error, "upload")

    ((_, beside),) = line.letters()
    assert 1 <= len(beside["error"]) <= MAX_ERROR_CHARACTERS
    assert beside["error"].isascii()
    assert beside["error"].isprintable()
    assert beside["run"] == "upload"


@pytest.mark.parametrize("world", EMULATORS, indirect=True)
def test_a_delivery_that_is_postponed_by_nothing_is_seen_at_once(world: AwsWorld, line: Line) -> None:
    for number in range(12):
        world.sqs.send_message(QueueUrl=line.url, MessageBody=str(number))
    first = received(world.sqs, line.url) + received(world.sqs, line.url)
    assert received(world.sqs, line.url) == []

    line.deliveries.postpone({message["ReceiptHandle"]: 0 for message in first})

    again = received(world.sqs, line.url) + received(world.sqs, line.url)
    assert sorted(message["Body"] for message in again) == sorted(str(number) for number in range(12))
    assert world.calls["ChangeMessageVisibilityBatch"] == 2


@pytest.mark.parametrize("world", EMULATORS, indirect=True)
def test_a_delivery_that_is_postponed_stays_in_flight(world: AwsWorld, line: Line) -> None:
    world.sqs.send_message(QueueUrl=line.url, MessageBody="body")
    (message,) = received(world.sqs, line.url)

    line.deliveries.postpone({message["ReceiptHandle"]: 43_000})

    assert received(world.sqs, line.url) == []
    name = "ApproximateNumberOfMessagesNotVisible"
    assert world.sqs.get_queue_attributes(QueueUrl=line.url, AttributeNames=[name])["Attributes"][name] == "1"


@pytest.mark.parametrize("world", EMULATORS, indirect=True)
def test_a_receipt_that_is_no_longer_good_costs_the_others_nothing(world: AwsWorld, line: Line) -> None:
    for body in ("done", "open"):
        world.sqs.send_message(QueueUrl=line.url, MessageBody=body)
    receipts = {message["Body"]: message["ReceiptHandle"] for message in received(world.sqs, line.url)}
    world.sqs.delete_message(QueueUrl=line.url, ReceiptHandle=receipts["done"])

    line.deliveries.postpone(dict.fromkeys(receipts.values(), 0))

    assert [message["Body"] for message in received(world.sqs, line.url)] == ["open"]


def test_the_twin_counts_ten_waits_as_one_call_and_none_as_no_call() -> None:
    fake = MemoryDeliveries()
    fake.postpone({})
    fake.postpone({str(number): 5 for number in range(10)})

    assert fake.calls == 1


def test_a_throttled_queue_is_told_as_such(moto: AwsWorld) -> None:
    answer(moto.sqs, refusal("RequestThrottled"))
    deliveries = SqsDeliveries(moto.sqs, "https://queue", "https://dead-letters")

    with pytest.raises(RetryLater, match="RequestThrottled"):
        deliveries.postpone({"receipt": 5})
    with pytest.raises(RetryLater, match="RequestThrottled"):
        deliveries.bury("body", "error", None)


def test_a_dead_letter_queue_that_is_not_there_is_no_stack(moto: AwsWorld) -> None:
    with pytest.raises(NoStack, match="of-nobody"):
        SqsDeliveries(moto.sqs, moto.queue(), moto.queue() + "-of-nobody").bury("body", "error", None)


def test_a_delivery_is_read_from_lambdas_event() -> None:
    record = {
        "messageId": "m1",
        "receiptHandle": "handle",
        "body": "{}",
        "attributes": {"ApproximateReceiveCount": "3"},
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:catalog-tagger-uploads",
    }
    queue = QueueName("123456789012", "catalog-tagger-uploads")

    assert Delivery.of_event(record) == Delivery("m1", "handle", "{}", 3, queue)


@pytest.mark.parametrize("place", ["https://sqs.eu-central-1.amazonaws.com", "http://localhost:4566"])
def test_a_queue_has_the_same_name_by_its_arn_and_by_its_address(place: str) -> None:
    by_arn = QueueName.of_arn("arn:aws:sqs:eu-central-1:123456789012:backfill")

    assert QueueName.of_url(f"{place}/123456789012/backfill") == by_arn


@pytest.mark.parametrize("url", ["", "backfill", "https://host", "https://host/backfill", "arn:aws:sqs:::backfill"])
def test_what_is_no_address_of_a_queue_is_refused(url: str) -> None:
    with pytest.raises(BadSettings, match="is not the address of a queue"):
        QueueName.of_url(url)


def test_nothing_beside_a_letter_is_empty() -> None:
    assert letter_attributes("", "") == {"error": "unknown"}


def failing(ids: tuple[str, ...], *, sender: bool) -> dict[str, Any]:
    """Return a batch answer of status 200 in which these entries failed."""
    return {"Failed": [{"Id": i, "SenderFault": sender, "Code": "InternalError"} for i in ids], "Successful": []}


def test_waits_that_fail_inside_a_batch_are_tried_again(moto: AwsWorld) -> None:
    calls = answer(moto.sqs, failing(("1",), sender=False), {"Successful": [{"Id": "1"}]})
    waits_s: list[float] = []

    SqsDeliveries(moto.sqs, "https://queue", "https://dead", waits_s.append).postpone({"a": 5, "b": 5})

    assert calls["ChangeMessageVisibilityBatch"] == 2
    assert waits_s == [FAILED_WAITS_S[0]]


def test_waits_that_fail_inside_a_batch_in_the_end_are_counted(moto: AwsWorld) -> None:
    answer(moto.sqs, failing(("0", "1"), sender=False))

    with pytest.raises(RetryLater, match="2 of 2 waits could not be set"):
        SqsDeliveries(moto.sqs, "https://queue", "https://dead", lambda _: None).postpone({"a": 5, "b": 5})


def test_a_receipt_that_is_no_longer_good_is_no_failure(moto: AwsWorld) -> None:
    calls = answer(moto.sqs, failing(("0",), sender=True))

    SqsDeliveries(moto.sqs, "https://queue", "https://dead", lambda _: None).postpone({"a": 5})

    assert calls["ChangeMessageVisibilityBatch"] == 1


def test_a_delivery_knows_whether_its_message_was_delivered_before() -> None:
    first = Delivery("id", "receipt", "body", 1, QueueName("1", "q"))

    assert not first.is_redelivery
    assert replace(first, receives=2).is_redelivery
    assert replace(first, was_redriven=True).is_redelivery
