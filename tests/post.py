"""The tagging function on twins: events as Lambda hands them over, and a handler with both queues' deliveries."""

from __future__ import annotations

import json
from types import SimpleNamespace

from pipeline.deliveries import QueueName
from pipeline.memory.deliveries import MemoryDeliveries
from pipeline.telemetry import make_logger, make_metrics
from tagging_lambda.disposition import BackOff
from tagging_lambda.tag_messages import Redeliverer, make_handler
from tests.builders import tagger

CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 60_000,
    function_name="tag",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:tag",
    aws_request_id="1",
)


UPLOADS = "arn:aws:sqs:us-east-1:000000000000:catalog-tagger-uploads"
BACKFILL = "arn:aws:sqs:us-east-1:000000000000:catalog-tagger-backfill"


def sqs(*bodies: str, receives: int = 1, arn: str = UPLOADS) -> dict:
    """Return the event of a batch whose messages have the ids m0, m1, ... and the receipts r0, r1, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{at}",
                "body": body,
                "eventSource": "aws:sqs",
                "receiptHandle": f"r{at}",
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "eventSourceARN": arn,
            }
            for at, body in enumerate(bodies)
        ]
    }


def uploaded(key: str, event: str = "ObjectCreated:Put") -> str:
    """Return the body of S3's message for an encoded key."""
    return json.dumps({"Records": [{"eventName": event, "s3": {"bucket": {"name": "shop"}, "object": {"key": key}}}]})


class Post:
    """A handler with the deliveries of its two queues."""

    def __init__(self, reconciler=None, uploads: MemoryDeliveries | None = None) -> None:
        self.reconciler = reconciler or tagger()
        self.uploads, self.backfill = uploads or MemoryDeliveries(), MemoryDeliveries()
        logger = make_logger("tag")
        queues = {QueueName.of_arn(UPLOADS): self.uploads, QueueName.of_arn(BACKFILL): self.backfill}
        postman = Redeliverer(queues, BackOff(random=lambda: 1.0), logger)
        self.handler = make_handler(self.reconciler, postman, logger, make_metrics("tag"))

    def handled(self, event: dict, context=CONTEXT) -> list[str]:
        """Return the ids of the messages that come again."""
        return [failure["itemIdentifier"] for failure in self.handler(event, context)["batchItemFailures"]]
