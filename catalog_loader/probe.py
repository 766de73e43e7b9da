"""Has the tagging function read one photo before a load sends the first message, so that no load ends in `denied`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.aws.errors import translated
from pipeline.errors import Denied, DeployerError, RejectReason
from pipeline.records import RejectedImage

if TYPE_CHECKING:
    from pipeline.messages import TagImage
    from pipeline.ports import RecordTable

WHERE_TO_READ = "RUNBOOK.md#a-bucket-that-exists-already says how to let the stack read it; nothing was sent"


class Probe(Protocol):
    """Tries one message before many are sent."""

    def check(self, message: TagImage) -> None:
        """Return if the tagging function reads the message's photo, whatever it finds in it.

        Raises:
            Denied: it may not read the photo, or we may not call it.
            DeployerError: it fails as a whole.
        """
        ...


@dataclass(frozen=True)
class FunctionProbe:
    """Calls the deployed function, as ``Probe`` promises: with its own role, key and network."""

    functions: Any
    sqs: Any
    table: RecordTable
    function_name: str
    queue_url: str

    def check(self, message: TagImage) -> None:
        """Hand the message to the function as a batch of one, and look at what it recorded."""
        with translated(self.function_name):
            answer = self.functions.invoke(FunctionName=self.function_name, Payload=json.dumps(self._event(message)))
        if answer.get("FunctionError"):
            raise DeployerError(f"{self.function_name} fails: RUNBOOK.md#tag-errors says what to do; nothing was sent")
        record = self.table.get_many([message.image]).get(message.image)
        if isinstance(record, RejectedImage) and record.reason is RejectReason.DENIED:
            raise Denied(f"{self.function_name} may not read {message.image}: {WHERE_TO_READ}")

    def _event(self, message: TagImage) -> dict[str, Any]:
        with translated(self.queue_url):
            attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        # No queue has delivered it. A receipt that no queue knows is ignored where the function postpones the message.
        record = {
            "messageId": "probe",
            "receiptHandle": "probe",
            "body": message.encode(),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": attributes["Attributes"]["QueueArn"],
        }
        return {"Records": [record]}


@dataclass
class MemoryProbe:
    """A probe in memory: refuses with ``refusal`` where there is one, and keeps what it was asked."""

    refusal: Denied | None = None
    asked: list[TagImage] = field(default_factory=list)

    def check(self, message: TagImage) -> None:
        """Note the message, and refuse it where that is wanted."""
        self.asked.append(message)
        if self.refusal is not None:
            raise self.refusal
