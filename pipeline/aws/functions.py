"""Inspects deployed functions: the account's limit, what keeps one from its queues, whether it may read a photo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.aws.errors import translated
from pipeline.errors import CatalogTaggerError, Denied, DeployerError
from pipeline.messages import TagImage
from pipeline.ports import RecordTable
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.records import RejectedImage
from pipeline.reject_reasons import RejectReason

LEFT_TO_OTHERS = 100  # concurrent executions that AWS Lambda never lets an account reserve
PATTERN_VARIABLE = "PRODUCT_PATTERN"  # of the tagging function
ENABLED = frozenset({"Enabled", "Enabling", "Updating", "Creating"})  # messages are taken, or will be soon
WHERE_TO_READ = "RUNBOOK.md#a-bucket-that-exists-already says how to let the stack read it; nothing was sent"


def deployed_product_pattern(functions: Any, name: str) -> ProductPattern:
    """Return how the deployed function reads a product from a key."""
    with translated(name):
        configuration = functions.get_function_configuration(FunctionName=name)
    text = configuration.get("Environment", {}).get("Variables", {}).get(PATTERN_VARIABLE)
    return ProductPattern.parse(text or DEFAULT_PRODUCT_PATTERN)


def concurrency_limit(functions: Any) -> int:
    """Return how many concurrent executions the account permits.

    Raises:
        Denied: there are no credentials, or they lack the permission.
    """
    with translated("the account's concurrency"):
        return int(functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])


@dataclass(frozen=True)
class Triggers:
    """The event source mappings of a function, and its reserved concurrency."""

    functions: Any
    name: str

    def causes(self) -> list[str]:
        """Return what keeps the function from taking messages; an empty list if nothing does."""
        try:
            with translated(self.name):
                mappings = self.functions.list_event_source_mappings(FunctionName=self.name)["EventSourceMappings"]
                reserved = self.functions.get_function_concurrency(FunctionName=self.name)
        except CatalogTaggerError as error:
            return [f"the function cannot be asked ({error})"]
        disabled = [mapping for mapping in mappings if mapping.get("State") not in ENABLED]
        reasons = [f"the trigger of {_queue(mapping)} is {str(mapping.get('State')).lower()}" for mapping in disabled]
        if not mappings:
            reasons.append("the function has no trigger")
        if reserved.get("ReservedConcurrentExecutions") == 0:
            reasons.append("the function's reserved concurrency is 0")
        return reasons


def _queue(mapping: dict[str, Any]) -> str:
    return str(mapping.get("EventSourceArn", "a queue")).rsplit(":", 1)[-1]


@dataclass(frozen=True)
class FunctionProbe:
    """Calls the deployed function, as ``Probe`` promises: with its own role, key and network."""

    functions: Any
    sqs: Any
    table: RecordTable
    function_name: str
    queue_url: str

    def check(self, message: TagImage) -> None:
        """Hand the message to the function as a batch of one, and read what it recorded."""
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
        # No queue delivered this message. If the function postpones it, SQS ignores the unknown receipt.
        record = {
            "messageId": "probe",
            "receiptHandle": "probe",
            "body": message.encode(),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": attributes["Attributes"]["QueueArn"],
        }
        return {"Records": [record]}
