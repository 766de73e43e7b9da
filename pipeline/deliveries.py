"""Deliveries: messages as a queue hands them out, and the attributes of a dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from pipeline.errors import BadSettings, CallerError
from pipeline.messages import UPLOAD_RUN
from pipeline.run_id import checked_run_id

ERROR, RUN = "error", "run"  # attributes of a dead letter, beside its unchanged body
REDRIVEN = "redriven"  # attribute of a message that was a dead letter before
MAX_ERROR_CHARACTERS = 300  # chosen by us: a line or two


@dataclass(frozen=True, slots=True)
class QueueName:
    """A queue's account and name, which its ARN and its URL have in common."""

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
            BadSettings: the text is not the address of a queue.
        """
        parts = url.split("/")
        if "://" not in url or len(parts) < len(("https:", "", "host", "account", "name")):
            raise BadSettings(f"{url!r} is not the address of a queue")
        return cls(*parts[-2:])


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message. The receipt belongs to this delivery; ``receives`` counts it and all earlier ones."""

    id: str
    receipt: str
    body: str
    receives: int
    queue: QueueName
    was_redriven: bool = False

    @property
    def is_redelivery(self) -> bool:
        """Whether the message was delivered before, so that an earlier write may still be in flight."""
        return self.receives > 1 or self.was_redriven

    @classmethod
    def of_event(cls, record: dict[str, Any]) -> Self:
        """Return the delivery in a record of Lambda's event for SQS."""
        return cls(
            id=record["messageId"],
            receipt=record["receiptHandle"],
            body=record["body"],
            receives=int(record["attributes"]["ApproximateReceiveCount"]),
            queue=QueueName.of_arn(record["eventSourceARN"]),
            was_redriven=REDRIVEN in (record.get("messageAttributes") or {}),
        )


def letter_attributes(error: str, run_id: str | None) -> dict[str, str]:
    """Return a dead letter's attributes: none is empty or long, or has a character that SQS refuses.

    The run id comes from the message, which may hold anything, so an id that no loader would write is left out.
    """
    attributes = {ERROR: _to_ascii(error)[:MAX_ERROR_CHARACTERS] or "unknown"}
    if run_id is not None and _is_run(run_id):
        attributes[RUN] = run_id
    return attributes


def _is_run(run_id: str) -> bool:
    try:
        return checked_run_id(run_id) == run_id
    except CallerError:
        return run_id == UPLOAD_RUN


def _to_ascii(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
