"""Messages as queues deliver them, and the two ways back: to come again later, or to rest among the dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from pipeline.aws.errors import translated
from pipeline.errors import BadSettings, CallerError
from pipeline.messages import UPLOAD_RUN
from pipeline.run_id import checked_run_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHANGE_BATCH = 10  # the most entries Amazon SQS permits in one ChangeMessageVisibilityBatch
ERROR, RUN = "error", "run"  # the attributes of a dead letter that was buried, beside its body as it came
MAX_ERROR_CHARACTERS = 300  # chosen by us: a line or two


@dataclass(frozen=True, slots=True)
class QueueName:
    """A queue by its account and its name: what its ARN and its address have in common."""

    account: str
    name: str

    @classmethod
    def of_arn(cls, arn: str) -> Self:
        """Return the name in ``arn:aws:sqs:region:account:name``."""
        return cls(*arn.split(":")[-2:])

    @classmethod
    def of_url(cls, url: str) -> Self:
        """Return the name in ``https://host/account/name``.

        Raises:
            BadSettings: it is no address of a queue.
        """
        parts = url.split("/")
        if "://" not in url or len(parts) < len(("https:", "", "host", "account", "name")):
            raise BadSettings(f"{url!r} is not the address of a queue")
        return cls(*parts[-2:])


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message. The receipt is this delivery's own; ``receives`` counts this one and those before."""

    id: str
    receipt: str
    body: str
    receives: int
    queue: QueueName

    @classmethod
    def of_event(cls, record: dict[str, Any]) -> Self:
        """Return the delivery that a record of Lambda's event for SQS tells of."""
        return cls(
            id=record["messageId"],
            receipt=record["receiptHandle"],
            body=record["body"],
            receives=int(record["attributes"]["ApproximateReceiveCount"]),
            queue=QueueName.of_arn(record["eventSourceARN"]),
        )


class Deliveries(Protocol):
    """The other end of one queue and of its dead-letter queue, for what was delivered and could not be done."""

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Let these deliveries, by their receipts, be seen again after so many seconds from now.

        One whose receipt is no longer good is no error: its message was delivered again since.

        Raises:
            RetryLater: a call failed; what it was about is seen again when its queue's own time is over.
        """
        ...

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Put a message with this body among the dead letters, with the error beside it, and the run where known.

        The delivery itself stays: whoever buries it must acknowledge it as well.

        Raises:
            RetryLater: it was not taken.
        """
        ...


def attributes_of(error: str, run_id: str | None) -> dict[str, str]:
    """Return what stands beside a dead letter: nothing empty, nothing long, and no character that SQS refuses.

    The run comes from the message, which may hold anything: one that no loader of ours would name is left out.
    """
    attributes = {ERROR: _plain(error)[:MAX_ERROR_CHARACTERS] or "unknown"}
    if run_id is not None and _is_run(run_id):
        attributes[RUN] = run_id
    return attributes


def _is_run(run_id: str) -> bool:
    try:
        return checked_run_id(run_id) == run_id
    except CallerError:
        return run_id == UPLOAD_RUN


def _plain(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


@dataclass(frozen=True)
class SqsDeliveries:
    """Deliveries of a queue in SQS, as ``Deliveries`` promises."""

    sqs: Any
    url: str
    dead_letter_url: str

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Change the visibility by ChangeMessageVisibilityBatch, ten a call."""
        waits = [*waits_s.items()]
        for at in range(0, len(waits), CHANGE_BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": wait_s}
                for number, (receipt, wait_s) in enumerate(waits[at : at + CHANGE_BATCH])
            ]
            with translated(self.url):
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Send the message to the dead-letter queue by one SendMessage."""
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes_of(error, run_id).items()
        }
        with translated(self.dead_letter_url):
            self.sqs.send_message(QueueUrl=self.dead_letter_url, MessageBody=body, MessageAttributes=attributes)


@dataclass(frozen=True, slots=True)
class BuriedLetter:
    """A dead letter as the twin keeps it."""

    body: str
    attributes: Mapping[str, str]


@dataclass
class MemoryDeliveries:
    """Deliveries in memory: what was postponed, by receipt, and what was buried. ``calls`` counts as SQS would bill."""

    waits_s: dict[str, int] = field(default_factory=dict)
    letters: list[BuriedLetter] = field(default_factory=list)
    calls: int = 0

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Note the waits, as ``Deliveries`` promises."""
        self.calls += -(-len(waits_s) // CHANGE_BATCH)
        self.waits_s |= waits_s

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Keep the letter, as ``Deliveries`` promises."""
        self.calls += 1
        self.letters.append(BuriedLetter(body, attributes_of(error, run_id)))

    def bodies(self) -> Sequence[str]:
        """Return the bodies of the buried letters, in the order they came."""
        return [letter.body for letter in self.letters]
