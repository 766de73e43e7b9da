"""Connects the loader to the deployed stack: its bucket, queues and table behind ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from catalog_loader.status import WatchedQueue
from pipeline.aws.clients import client
from pipeline.aws.cloudwatch import oldest_message_s
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.functions import FunctionProbe, Triggers, deployed_product_pattern
from pipeline.aws.s3 import S3Files, S3Images
from pipeline.aws.sqs import SqsDeadLetters, SqsQueue
from pipeline.aws.stream_failures import StreamFailures
from pipeline.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.images import BucketPrefix
    from pipeline.ports import DeadLetters, FileStore, ImageStore, MessageQueue, Probe, RecordTable
    from pipeline.product_pattern import ProductPattern

UPLOADS, BACKFILL, STREAM = "uploads", "backfill", "stream"


@dataclass(frozen=True)
class Connected:
    """What the loader's commands work on; the queues and their dead letters by name.

    Attributes:
        stream_failures: changes of the table that a function could not pass on.
        images_bucket: the stack's own bucket, whose photos are tagged as they arrive.
        files: reads and writes files below a prefix of a bucket.
        probe: has the tagging function read one photo before a load.
        product_pattern: reads how the stack tells products from keys.
        causes: reads what may keep the function from taking messages.
    """

    images: ImageStore
    table: RecordTable
    queues: Mapping[str, MessageQueue]
    dead_letters: Mapping[str, DeadLetters]
    stream_failures: DeadLetters
    watched: tuple[WatchedQueue, ...]
    causes: Callable[[], Iterable[str]]
    images_bucket: str
    files: Callable[[BucketPrefix], FileStore]
    probe: Probe
    product_pattern: Callable[[], ProductPattern]

    @property
    def backfill(self) -> MessageQueue:
        """The queue that is loaded into."""
        return self.queues[BACKFILL]


Connect = Callable[[], Connected]


def connected() -> Connected:
    """Return the ports of the stack that is deployed.

    Raises:
        NoStack: none is.
    """
    stack = find_stack()
    sqs, cloudwatch = client("sqs", stack.endpoint_url), client("cloudwatch", stack.endpoint_url)
    urls = {
        UPLOADS: (stack.uploads_queue_url, stack.uploads_dead_letter_queue_url),
        BACKFILL: (stack.backfill_queue_url, stack.backfill_dead_letter_queue_url),
    }
    s3 = client("s3", stack.endpoint_url)
    queues = {name: SqsQueue(sqs, url) for name, (url, _) in urls.items()}
    dead_letters = {name: SqsDeadLetters(sqs, dead_url, url) for name, (url, dead_url) in urls.items()}
    dynamodb = client("dynamodb", stack.endpoint_url)
    table = DynamoTable(dynamodb, stack.table_name)
    functions = client("lambda", stack.endpoint_url)
    return Connected(
        images=S3Images(s3),
        table=table,
        queues=queues,
        dead_letters=dead_letters,
        stream_failures=StreamFailures(
            SqsDeadLetters(sqs, stack.stream_failures_queue_url, source_url=""),
            client("dynamodbstreams", stack.endpoint_url),
            dynamodb,
        ),
        watched=tuple(
            WatchedQueue(name, queues[name], dead_letters[name], partial(oldest_message_s, cloudwatch, url))
            for name, (url, _) in urls.items()
        ),
        causes=Triggers(functions, stack.tag_function_name).causes,
        images_bucket=stack.images_bucket,
        files=partial(S3Files, s3),
        product_pattern=partial(deployed_product_pattern, functions, stack.tag_function_name),
        probe=FunctionProbe(functions, sqs, table, stack.tag_function_name, stack.backfill_queue_url),
    )
