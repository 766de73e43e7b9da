"""An in-memory fake of the probe before a load."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.errors import Denied
from pipeline.messages import TagImage


@dataclass
class MemoryProbe:
    """A probe as ``Probe`` promises: it raises ``refusal`` if there is one, and keeps the messages."""

    refusal: Denied | None = None
    messages: list[TagImage] = field(default_factory=list)

    def check(self, message: TagImage) -> None:
        """Keep the message, and raise ``refusal`` if there is one."""
        self.messages.append(message)
        if self.refusal is not None:
            raise self.refusal
