"""Dead letters: messages that failed too often, as they are read from where they rest."""

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
UNDONE = "Undone"  # the reason of what was delivered again and again without an error that says why
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
        """The images that the message names; none where it cannot be read."""
        try:
            return tuple(message.image for message in decode(self.body))
        except BadMessage:
            return ()

    @property
    def reason(self) -> str:
        """Why it is dead, in one word: the name of its error, or ``Undone``."""
        name = _NAME.match(self.error or "")
        return name[0] if name else UNDONE
