"""Messages in Amazon SQS: queues, deliveries on their way back, and dead letters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.aws.errors import translated
from pipeline.dead_letters import HIDDEN_S, RECEIVE_BATCH, DeadLetter
from pipeline.deliveries import ERROR, REDRIVEN, letter_attributes
from pipeline.errors import RetryLater
from pipeline.messages import MAX_BODY_BYTES, TagImage
from pipeline.ports import SEND_BATCH, QueueDepth

LONG_POLL_S = 1  # any wait makes SQS ask all of its servers, so that "none" means none
FAILED_WAITS_S = (0.1, 0.4)  # before failed entries are retried; chosen by us: a function has no time for more
ATTRIBUTE_BYTES = 32  # what REDRIVEN adds to a message; attributes count towards its size


@dataclass(frozen=True)
class SqsQueue:
    """A queue in SQS, as ``MessageQueue`` promises."""

    sqs: Any
    url: str

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages by one SendMessageBatch."""
        entries = [{"Id": str(number), "MessageBody": message.encode()} for number, message in enumerate(messages)]
        with translated(self.url):
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return tuple(messages[int(entry["Id"])] for entry in answer.get("Failed", ()))

    def depth(self) -> QueueDepth:
        """Return the counts by GetQueueAttributes; messages that are delayed wait too."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        with translated(self.url):
            counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        visible, delayed, in_flight = (int(counts[name]) for name in names)
        return QueueDepth(waiting=visible + delayed, in_flight=in_flight)


@dataclass(frozen=True)
class SqsDeliveries:
    """Deliveries of a queue in SQS, as ``Deliveries`` promises."""

    sqs: Any
    url: str
    dead_letter_url: str
    sleep: Callable[[float], None] = time.sleep

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Change the visibility by ChangeMessageVisibilityBatch, ten a call."""
        failed = _change_visibility(self.sqs, self.url, [*waits_s.items()], self.sleep)
        if failed:
            raise RetryLater(f"{self.url}: {len(failed):,} of {len(waits_s):,} waits could not be set")

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Send the message to the dead-letter queue by one SendMessage."""
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in letter_attributes(error, run_id).items()
        }
        with translated(self.dead_letter_url):
            self.sqs.send_message(QueueUrl=self.dead_letter_url, MessageBody=body, MessageAttributes=attributes)


@dataclass(frozen=True)
class SqsDeadLetters:
    """Dead letters in SQS, as ``DeadLetters`` promises."""

    sqs: Any
    url: str
    source_url: str
    long_poll_s: int = LONG_POLL_S
    sleep: Callable[[float], None] = time.sleep

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return the letters by one ReceiveMessage."""
        with translated(self.url):
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=RECEIVE_BATCH,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=self.long_poll_s,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=[ERROR],
            )
        return tuple(
            DeadLetter(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
                error=message.get("MessageAttributes", {}).get(ERROR, {}).get("StringValue"),
            )
            for message in answer.get("Messages", ())
        )

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Release the letters by one ChangeMessageVisibilityBatch; a letter that is gone is not an error."""
        failed = _change_visibility(self.sqs, self.url, [(letter.receipt, 0) for letter in letters], self.sleep)
        if failed:
            raise RetryLater(f"{self.url}: {len(failed):,} dead letters stay hidden for up to {HIDDEN_S} s")

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send, then delete: a crash in between sends a letter twice, and never loses it."""
        return tuple(letter for batch in _batches_that_fit(letters) for letter in self._resend(batch))

    def _resend(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        sends = [{"Id": str(number), **_redriven(letter.body)} for number, letter in enumerate(letters)]
        with translated(self.source_url):
            answer = self.sqs.send_message_batch(QueueUrl=self.source_url, Entries=sends)
        refused = {int(entry["Id"]) for entry in answer.get("Failed", ())}
        undeleted = self.delete([letter for number, letter in enumerate(letters) if number not in refused])
        return [letter for number, letter in enumerate(letters) if number in refused or letter in undeleted]

    def delete(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Delete the letters, ten at the most, by one DeleteMessageBatch, and return those that could not be."""
        undeleted = _repeat_failed(
            lambda entries: self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries),
            [{"Id": str(number), "ReceiptHandle": letter.receipt} for number, letter in enumerate(letters)],
            self.url,
            self.sleep,
        )
        return [letters[int(entry["Id"])] for entry in undeleted]

    def depth(self) -> QueueDepth:
        """Return the counts of the dead-letter queue."""
        return SqsQueue(self.sqs, self.url).depth()


def _redriven(body: str) -> dict[str, Any]:
    """Return the message of a redriven letter.

    It is marked, because a write of the earlier delivery may still arrive (DECISIONS.md, 49). A body that leaves no
    room for the mark goes without.
    """
    if len(body.encode()) + ATTRIBUTE_BYTES > MAX_BODY_BYTES:
        return {"MessageBody": body}
    return {"MessageBody": body, "MessageAttributes": {REDRIVEN: {"DataType": "String", "StringValue": "yes"}}}


def _change_visibility(
    sqs: Any, url: str, waits_s: Sequence[tuple[str, int]], sleep: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Set the waits of these receipts, ten a call, and return the entries that failed."""
    entries = [
        {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": wait_s}
        for number, (receipt, wait_s) in enumerate(waits_s)
    ]
    failed: list[dict[str, Any]] = []
    for start in range(0, len(entries), SEND_BATCH):
        failed += _repeat_failed(
            lambda batch: sqs.change_message_visibility_batch(QueueUrl=url, Entries=batch),
            entries[start : start + SEND_BATCH],
            url,
            sleep,
        )
    return failed


def _repeat_failed(
    call: Callable[[list[dict[str, Any]]], dict[str, Any]],
    entries: list[dict[str, Any]],
    url: str,
    sleep: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Call with the entries, repeat those that SQS reports as failed, and return those that still fail.

    What SQS calls the sender's fault is a receipt that is no longer good: its message was delivered again since, or
    deleted, so nothing is left to be done with it.
    """
    for wait_s in (*FAILED_WAITS_S, None):
        if not entries:
            return []
        with translated(url):
            answer = call(entries)
        failed = {entry["Id"] for entry in answer.get("Failed", ()) if not entry.get("SenderFault")}
        entries = [entry for entry in entries if entry["Id"] in failed]
        if entries and wait_s is not None:
            sleep(wait_s)
    return entries


def _batches_that_fit(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Yield the letters in batches that fit into one call, whose limit covers all bodies together."""
    batch: list[DeadLetter] = []
    size_bytes = 0
    for letter in letters:
        letter_bytes = len(letter.body.encode()) + ATTRIBUTE_BYTES
        if batch and size_bytes + letter_bytes > MAX_BODY_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(letter)
        size_bytes += letter_bytes
    if batch:
        yield batch
