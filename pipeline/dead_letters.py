"""Dead letters: messages that failed too often, where they rest, and the way back to the queue they came from."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.aws.errors import translated
from pipeline.aws.sqs import SqsQueue
from pipeline.deliveries import ERROR
from pipeline.errors import BadMessage
from pipeline.messages import MAX_BODY_BYTES, decode
from pipeline.ports import QueueDepth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.images import ImageRef

RECEIVE_BATCH = 10  # the most messages Amazon SQS permits in one call
HIDDEN_S = 300  # chosen by us: longer than reading 100,000 of them takes, short enough to wait for after a crash
UNDONE = "Undone"  # the reason of what was delivered again and again without an error that says why
LONG_POLL_S = 1  # any wait makes SQS ask all of its servers, so that "none" means none
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it was received; the receipt is what it is released or deleted by.

    The error is the one that it was buried with; None where the queue gave it up, having delivered it too often.
    """

    id: str
    receipt: str
    body: str
    sent_at: datetime
    error: str | None = None

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The images that the message asks for; none where it cannot be read."""
        try:
            return tuple(message.image for message in decode(self.body))
        except BadMessage:
            return ()

    @property
    def reason(self) -> str:
        """Why it is dead, in one word: the name of its error, or ``Undone``."""
        found = _NAME.match(self.error or "")
        return found[0] if found else UNDONE


class DeadLetters(Protocol):
    """A dead-letter queue, and the queue that its messages came from."""

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return up to ten letters and hide them for ``HIDDEN_S``, or nothing where none is to be seen."""
        ...

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Let up to ten letters be seen again at once."""
        ...

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send up to ten letters to the queue they came from, delete what it took, and return what it did not take."""
        ...

    def depth(self) -> QueueDepth:
        """Return how many letters rest here, and how many are hidden."""
        ...


@dataclass(frozen=True)
class SqsDeadLetters:
    """Dead letters in SQS, as ``DeadLetters`` promises."""

    sqs: Any
    url: str
    source_url: str
    long_poll_s: int = LONG_POLL_S

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
                id=found["MessageId"],
                receipt=found["ReceiptHandle"],
                body=found["Body"],
                sent_at=datetime.fromtimestamp(int(found["Attributes"]["SentTimestamp"]) / 1000, UTC),
                error=found.get("MessageAttributes", {}).get(ERROR, {}).get("StringValue"),
            )
            for found in answer.get("Messages", ())
        )

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Release the letters by one ChangeMessageVisibilityBatch; one that is gone meanwhile is no error."""
        entries = [
            {"Id": str(at), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
            for at, letter in enumerate(letters)
        ]
        with translated(self.url):
            self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send, then delete: a crash between them makes a second look, never a lost one."""
        refused: tuple[DeadLetter, ...] = ()
        for batch in _fitting(letters):
            refused += self._resend(batch)
        return refused

    def _resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        sends = [{"Id": str(at), "MessageBody": letter.body} for at, letter in enumerate(letters)]
        with translated(self.source_url):
            answer = self.sqs.send_message_batch(QueueUrl=self.source_url, Entries=sends)
        refused = {int(failed["Id"]) for failed in answer.get("Failed", ())}
        taken = [
            {"Id": str(at), "ReceiptHandle": letter.receipt} for at, letter in enumerate(letters) if at not in refused
        ]
        if taken:
            with translated(self.url):
                self.sqs.delete_message_batch(QueueUrl=self.url, Entries=taken)
        return tuple(letters[at] for at in sorted(refused))

    def depth(self) -> QueueDepth:
        """Return the counts of the dead-letter queue."""
        return SqsQueue(self.sqs, self.url).depth()


def _fitting(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Yield the letters in batches that are small enough for one call, in which all bodies count together."""
    batch: list[DeadLetter] = []
    for letter in letters:
        if batch and sum(len(each.body.encode()) for each in [*batch, letter]) > MAX_BODY_BYTES:
            yield batch
            batch = []
        batch.append(letter)
    if batch:
        yield batch


@dataclass
class MemoryDeadLetters:
    """Dead letters in memory, in front of a queue of bodies. ``refuse`` names bodies that are not taken back."""

    letters: deque[DeadLetter] = field(default_factory=deque)
    source: deque[str] = field(default_factory=deque)
    refuse: set[str] = field(default_factory=set)
    hidden: dict[str, DeadLetter] = field(default_factory=dict)
    died: int = 0

    def add(self, body: str, error: str | None = None, sent_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Let a message die."""
        name = f"letter-{self.died}"
        self.died += 1
        self.letters.append(DeadLetter(name, f"receipt of {name}", body, sent_at, error))

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return the letters as ``DeadLetters`` promises."""
        found = tuple(self.letters.popleft() for _ in range(min(RECEIVE_BATCH, len(self.letters))))
        self.hidden |= {letter.id: letter for letter in found}
        return found

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Release the letters as ``DeadLetters`` promises."""
        self.letters.extend(self.hidden.pop(letter.id) for letter in letters)

    def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
        """Send the letters back as ``DeadLetters`` promises."""
        refused = tuple(letter for letter in letters if letter.body in self.refuse)
        for letter in letters:
            if letter not in refused:
                self.source.append(self.hidden.pop(letter.id).body)
        return refused

    def depth(self) -> QueueDepth:
        """Return the counts as ``DeadLetters`` promises."""
        return QueueDepth(waiting=len(self.letters), in_flight=len(self.hidden))
