"""Batches of the table's stream that a function could not pass on, as AWS Lambda names them in a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from pipeline.aws.errors import code_of, translated
from pipeline.aws.sqs import SqsDeadLetters
from pipeline.dead_letters import DeadLetter
from pipeline.ports import QueueDepth
from pipeline.table_layout import REVISION

# The stream keeps a change for a day; after that only an export has it, which reads the table (DECISIONS.md, 72).
_FORGOTTEN = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"})


@dataclass(frozen=True)
class StreamFailures:
    """The queue of failed batches, as ``DeadLetters`` promises: a letter names a batch, and its error the function.

    The batch says only which items changed. Each gets its next revision, so that the stream passes it on once more: as
    it is now, and in its order. To pass on the batch itself would lay an older state over a newer one. An item that was
    removed meanwhile has nothing to pass on; searches lose it with the next export.
    """

    letters: SqsDeadLetters
    streams: Any
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
        """Have the stream pass on what the batches name, delete their letters, and return those it has forgotten."""
        taken = [letter for letter in letters if self._is_taken(letter.body)]
        undeleted = self.letters.delete(taken)
        return tuple(letter for letter in letters if letter not in taken or letter in undeleted)

    def _is_taken(self, body: str) -> bool:
        try:
            batch = json.loads(body)["DDBStreamBatchInfo"]
        except (ValueError, KeyError, TypeError):  # not written by AWS Lambda
            return False
        try:
            with translated("the stream of the table"):
                for key in self._keys(batch):
                    self._renew(_table_of(batch["streamArn"]), key)
        except ClientError as error:
            if code_of(error) in _FORGOTTEN:
                return False
            raise
        return True

    def _renew(self, table: str, key: Mapping[str, Any]) -> None:
        """Give the item its next revision and change nothing else. One that was removed or has no number stays so."""
        # A delta of this moment's state could be overtaken by a change that is not named yet (DECISIONS.md, 104).
        try:
            self.dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="ADD #revision :one",
                ConditionExpression="attribute_type(#revision, :number)",
                ExpressionAttributeNames={"#revision": REVISION},
                ExpressionAttributeValues={":one": {"N": "1"}, ":number": {"S": "N"}},
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise

    def _keys(self, batch: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the key of each item that the batch tells of, once."""
        keys = {json.dumps(record["dynamodb"]["Keys"]): record["dynamodb"]["Keys"] for record in self._records(batch)}
        yield from keys.values()

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
