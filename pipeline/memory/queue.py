"""An in-memory fake of a message queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.images import ImageRef
from pipeline.messages import TagImage
from pipeline.ports import SEND_BATCH, QueueDepth


@dataclass
class MemoryQueue:
    """Messages in memory. ``calls`` counts the sends; ``refuse`` names images whose first send fails."""

    messages: deque[TagImage] = field(default_factory=deque)
    calls: int = 0
    refuse: set[ImageRef] = field(default_factory=set)

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages as ``MessageQueue`` promises."""
        if not 1 <= len(messages) <= SEND_BATCH:
            raise ValueError(f"one call takes 1 to {SEND_BATCH} messages, not {len(messages)}")
        self.calls += 1
        refused = tuple(message for message in messages if message.image in self.refuse)
        self.refuse -= {message.image for message in refused}
        self.messages.extend(message for message in messages if message not in refused)
        return refused

    def depth(self) -> QueueDepth:
        """Return the count as ``MessageQueue`` promises."""
        return QueueDepth(waiting=len(self.messages), in_flight=0)
