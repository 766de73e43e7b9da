"""An in-memory fake of a queue's deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.deliveries import letter_attributes
from pipeline.ports import SEND_BATCH


@dataclass(frozen=True, slots=True)
class BuriedLetter:
    """A dead letter as the fake keeps it."""

    body: str
    attributes: Mapping[str, str]


@dataclass
class MemoryDeliveries:
    """Deliveries in memory: waits by receipt, and buried letters. ``calls`` counts as SQS would bill."""

    waits_s: dict[str, int] = field(default_factory=dict)
    letters: list[BuriedLetter] = field(default_factory=list)
    calls: int = 0

    def postpone(self, waits_s: Mapping[str, int]) -> None:
        """Note the waits, as ``Deliveries`` promises."""
        self.calls += -(-len(waits_s) // SEND_BATCH)
        self.waits_s |= waits_s

    def bury(self, body: str, error: str, run_id: str | None) -> None:
        """Keep the letter, as ``Deliveries`` promises."""
        self.calls += 1
        self.letters.append(BuriedLetter(body, letter_attributes(error, run_id)))

    def bodies(self) -> Sequence[str]:
        """Return the bodies of the buried letters, in the order they came."""
        return [letter.body for letter in self.letters]
