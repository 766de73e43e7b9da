"""Takes dead letters back to the queue they came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.dead_letters import RECEIVE_BATCH
from pipeline.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from pipeline.dead_letters import DeadLetter
    from pipeline.ports import DeadLetters
    from pipeline.progress import Progress


@dataclass
class Redriven:
    """How many letters went back, were left as they were not asked for, and were not taken, each by reason.

    Those that died since it began, many of them for the second time, are left as well, and counted as newer. Those that
    somebody has received and not let go yet are hidden. Unread are about so many that could not be had, since those
    that are left came to be seen again in the meantime.
    """

    redriven: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    newer: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    unread: int = 0

    @property
    def wants_attention(self) -> bool:
        """Whether any letter that was asked for did not go back, or may not have been seen."""
        return bool(self.failed or self.newer or self.hidden or self.unread)


def redrive(
    queue: DeadLetters, reasons: Collection[str], redriven: Redriven, progress: Progress, began_at: datetime
) -> None:
    """Send the queue's letters back by receive, send, delete, counting in ``redriven``; no reason means all.

    What is left is visible again at the end. A crash on the way makes a second look, never a lost one. A letter that
    was sent after ``began_at`` stays: what can never be done dies again at once, and would go round for ever. Amazon
    SQS' clock counts there; it refuses calls from clocks that are five minutes wrong, so no more is ever left or sent.
    """
    asked = {reason.casefold() for reason in reasons}
    left: dict[str, DeadLetter] = {}
    depth, seen = queue.depth(), 0
    redriven.hidden += depth.in_flight
    try:
        while batch := queue.receive():
            fresh = [letter for letter in batch if letter.id not in left]
            if not fresh:
                redriven.unread += max(depth.waiting - seen, 0)
                break
            seen += len(fresh)
            left |= {letter.id: letter for letter in batch}
            wanted = [letter for letter in fresh if not asked or letter.reason.casefold() in asked]
            chosen = [letter for letter in wanted if letter.sent_at <= began_at]
            refused = _resend(queue, chosen)
            redriven.kept.update(letter.reason for letter in fresh if letter not in wanted)
            redriven.newer.update(letter.reason for letter in wanted if letter not in chosen)
            redriven.failed.update(letter.reason for letter in refused)
            for letter in chosen:
                if letter not in refused:
                    redriven.redriven[letter.reason] += 1
                    del left[letter.id]
            progress.step(len(fresh))
    finally:
        received = list(left.values())
        for at in range(0, len(received), RECEIVE_BATCH):
            queue.release(received[at : at + RECEIVE_BATCH])


def _resend(queue: DeadLetters, letters: list[DeadLetter]) -> tuple[DeadLetter, ...]:
    try:
        return queue.resend(letters) if letters else ()
    except RetryLater:
        return tuple(letters)
