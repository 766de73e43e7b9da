"""Dead letters: messages that failed too often, as read from their dead-letter queue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import BadMessage
from pipeline.messages import decode

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.images import ImageRef

RECEIVE_BATCH = 10  # the most messages Amazon SQS permits in one call
HIDDEN_S = 300  # chosen by us: longer than reading 100,000 of them takes, short enough to wait for after a crash
UNDONE = "Undone"  # the reason of a message that was redelivered too often without a recorded error
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A received message; its receipt releases or deletes it.

    ``error`` is what the function recorded; None if the queue itself moved the message after too many deliveries.
    """

    id: str
    receipt: str
    body: str
    sent_at: datetime
    error: str | None = None

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The images that the message names, or none if it cannot be decoded."""
        try:
            return tuple(message.image for message in decode(self.body))
        except BadMessage:
            return ()

    @property
    def reason(self) -> str:
        """Why the message failed, in one word: the name of its error, or ``Undone``."""
        name = _NAME.match(self.error or "")
        return name[0] if name else UNDONE
