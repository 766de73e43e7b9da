"""Batches of the table's stream that a function could not pass on, as AWS Lambda names them in a queue."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws.errors import code_of, translated
from pipeline.table_layout import REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.aws.sqs import SqsDeadLetters
    from pipeline.dead_letters import DeadLetter
    from pipeline.ports import QueueDepth

# The stream keeps a change for a day; after that only an export has it, which reads the table (DECISIONS.md, 72).
_FORGOTTEN = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"})


@dataclass(frozen=True)
class StreamFailures:
    """The queue of failed batches, as ``DeadLetters`` promises: a letter names a batch, and its error the function.

    Nothing is sent back to the stream, which still has the batch: the function is called with it once more, but for
    changes that later ones replaced. These were passed on meanwhile, and an older state must not come after them.
    """

    letters: SqsDeadLetters
    streams: Any
    functions: Any
    dynamodb: Any

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return the letters by one ReceiveMessage."""
        return tuple(replace(letter, error=_function_of(letter.body)) for letter in self.letters.receive())

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Release the letters."""
        self.letters.release(letters)

    def depth(self) -> QueueDepth:
        """Return the counts of the queue."""
        return self.letters.depth()

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Call the functions with their batches, delete the letters that succeeded, and return the others."""
        taken = [letter for letter in letters if self._is_taken(letter.body)]
        undeleted = self.letters.delete(taken)
        return tuple(letter for letter in letters if letter not in taken or letter in undeleted)

    def _is_taken(self, body: str) -> bool:
        try:
            function = json.loads(body)["requestContext"]["functionArn"]
            batch = json.loads(body)["DDBStreamBatchInfo"]
        except (ValueError, KeyError, TypeError):  # not written by AWS Lambda
            return False
        try:
            with translated(function):
                changes = [change for change in self._records(batch) if self._is_current(change, batch["streamArn"])]
                if not changes:
                    return True
                records = [_event_record(change, batch["streamArn"]) for change in changes]
                answer = self.functions.invoke(FunctionName=function, Payload=json.dumps({"Records": records}))
        except ClientError as error:
            if code_of(error) in _FORGOTTEN:
                return False
            raise
        return "FunctionError" not in answer

    def _is_current(self, change: Mapping[str, Any], stream_arn: str) -> bool:
        """Return whether the item is still as the change left it; a removed item has no revision on either side."""
        # An older state that is recorded late would hide a newer one (DECISIONS.md, 104).
        key, image = change["dynamodb"]["Keys"], change["dynamodb"].get("NewImage", {})
        item = self.dynamodb.get_item(TableName=_table_of(stream_arn), Key=key, ConsistentRead=True).get("Item", {})
        return bool(item.get(REVISION) == image.get(REVISION))

    def _records(self, batch: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the changes of the batch, from its first sequence number to its last."""
        iterator = self.streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        last = int(batch["endSequenceNumber"])
        while iterator:
            answer = self.streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                if int(record["dynamodb"]["SequenceNumber"]) > last:
                    return
                yield record
            if not answer["Records"] or int(answer["Records"][-1]["dynamodb"]["SequenceNumber"]) >= last:
                return
            iterator = answer.get("NextShardIterator")


def _table_of(stream_arn: str) -> str:
    """Return the name in ``arn:aws:dynamodb:region:account:table/name/stream/time``."""
    return stream_arn.split("/")[1]


def _function_of(body: str) -> str:
    """Return the name of the function that failed, in letters that a reason may have."""
    try:
        arn = str(json.loads(body)["requestContext"]["functionArn"])
    except (ValueError, KeyError, TypeError):
        return ""
    return arn.partition(":function:")[2].partition(":")[0].replace("-", "_")


def _event_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """Return a change as AWS Lambda hands it to a function: times as seconds, bytes in base64."""
    plain: dict[str, Any] = json.loads(json.dumps(record, default=_plain))
    return {**plain, "eventSourceARN": stream_arn}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a change holds a {type(value).__name__}")
