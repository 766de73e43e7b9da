"""An in-memory fake of a dead-letter queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.dead_letters import RECEIVE_BATCH, DeadLetter
from pipeline.ports import QueueDepth


@dataclass
class MemoryDeadLetters:
    """Dead letters in memory, in front of a queue of bodies. ``refuse`` names bodies that are refused."""

    letters: deque[DeadLetter] = field(default_factory=deque)
    source: deque[str] = field(default_factory=deque)
    refuse: set[str] = field(default_factory=set)
    hidden: dict[str, DeadLetter] = field(default_factory=dict)
    died: int = 0

    def add(self, body: str, error: str | None = None, sent_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Add a dead letter."""
        name = f"letter-{self.died}"
        self.died += 1
        self.letters.append(DeadLetter(name, f"receipt of {name}", body, sent_at, error))

    def receive(self) -> tuple[DeadLetter, ...]:
        """Return the letters as ``DeadLetters`` promises."""
        letters = tuple(self.letters.popleft() for _ in range(min(RECEIVE_BATCH, len(self.letters))))
        self.hidden |= {letter.id: letter for letter in letters}
        return letters

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
