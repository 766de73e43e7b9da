"""One photo is read as the tagging function would before a load sends anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from catalog_loader.send import Sender, Sent
from pipeline.aws.functions import FunctionProbe
from pipeline.errors import Denied, DeployerError
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import Observation, RejectedImage
from pipeline.reject_reasons import RejectReason
from tests.catalog_loader.conftest import LOOKED_AT, MODEL, TAXONOMY, shop

if TYPE_CHECKING:
    from tests.catalog_loader.conftest import Twins

ARN = "arn:aws-cn:sqs:cn-north-1:123456789012:catalog-tagger-backfill"


@dataclass
class DeployedFunction:
    """A tagging function that records this reason for whatever it is handed, or fails."""

    table: MemoryTable = field(default_factory=MemoryTable)
    reason: RejectReason | None = None
    error: str | None = None
    events: list[Any] = field(default_factory=list)

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, str]:  # noqa: N803 - boto3's own names
        self.events.append(json.loads(Payload))
        if self.reason is not None:
            observation = Observation(shop("a.jpg"), "a", "run", LOOKED_AT, None, None, MODEL, TAXONOMY)
            self.table.put(RejectedImage(observation, self.reason, "403"), 0)
        return {"FunctionError": self.error} if self.error else {}

    def probe(self) -> FunctionProbe:
        sqs = SimpleNamespace(get_queue_attributes=lambda **_: {"Attributes": {"QueueArn": ARN}})
        return FunctionProbe(self, sqs, self.table, "tag", "https://host/123456789012/catalog-tagger-backfill")


def test_the_function_is_handed_the_message_as_its_queue_would() -> None:
    function, message = DeployedFunction(), TagImage(shop("a.jpg"), "run-1", "p")
    function.probe().check(message)
    [record] = function.events[0]["Records"]

    assert record["body"] == message.encode()
    assert record["eventSourceARN"] == ARN


def test_a_photo_that_the_function_may_not_read_is_refused_with_the_way_out() -> None:
    with pytest.raises(Denied, match=r"tag may not read s3://shop/a\.jpg: RUNBOOK\.md#a-bucket-that-exists-already"):
        DeployedFunction(reason=RejectReason.DENIED).probe().check(TagImage(shop("a.jpg")))


def test_a_photo_that_is_rejected_for_its_own_faults_was_read() -> None:
    DeployedFunction(reason=RejectReason.CORRUPT).probe().check(TagImage(shop("a.jpg")))


def test_a_function_that_fails_as_a_whole_is_sent_nothing() -> None:
    with pytest.raises(DeployerError, match=r"tag fails: RUNBOOK\.md#tag-errors"):
        DeployedFunction(error="Unhandled").probe().check(TagImage(shop("a.jpg")))


def test_a_load_asks_about_its_first_message_alone_and_sends_nothing_after_a_refusal(twins: Twins) -> None:
    messages = [TagImage(shop(f"{number}.jpg")) for number in range(25)]
    Sender(twins.backfill, probe=twins.probe).send(messages, Sent())
    assert twins.probe.messages == messages[:1]
    assert sorted(each.image.key for each in twins.backfill.messages) == sorted(each.image.key for each in messages)

    twins.backfill.messages.clear()
    twins.probe.refusal = Denied("no")
    with pytest.raises(Denied):
        Sender(twins.backfill, probe=twins.probe).send(messages, Sent())
    assert not twins.backfill.messages
