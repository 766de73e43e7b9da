"""Takes dead letters back to the queue they came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.batches import batched
from pipeline.dead_letters import RECEIVE_BATCH, DeadLetter
from pipeline.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from pipeline.ports import DeadLetters
    from pipeline.progress import Progress


@dataclass
class Redriven:
    """How many letters of a queue were sent back and how many were not.

    Attributes:
        redriven: sent back, by reason.
        kept: not selected, by reason.
        failed: refused by their queue, by reason.
        newer: died since the redrive began, many for the second time, by reason.
        hidden: received by somebody else and not released yet.
        unread: about so many that were not delivered, because those kept became visible again meanwhile.
    """

    redriven: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    newer: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    unread: int = 0

    @property
    def wants_attention(self) -> bool:
        """Whether a selected letter was not sent back, or may have been missed."""
        return bool(self.failed or self.newer or self.hidden or self.unread)


def redrive(
    queue: DeadLetters, reasons: Collection[str], redriven: Redriven, progress: Progress, began_at: datetime
) -> None:
    """Send the queue's letters back by receive, send, delete, counting in ``redriven``; no reason means all.

    Letters that stay are visible again at the end. A crash between send and delete means a second message, never a lost
    one. A letter sent after ``began_at`` stays: a message that can never succeed dies again at once and would circle
    for ever. The times are Amazon SQS's, which refuses calls from clocks that are five minutes off.
    """
    selected_reasons = {reason.casefold() for reason in reasons}
    held: dict[str, DeadLetter] = {}
    depth, seen = queue.depth(), 0
    redriven.hidden += depth.in_flight
    try:
        while batch := queue.receive():
            fresh = [letter for letter in batch if letter.id not in held]
            if not fresh:  # the first ones are visible again, so the rest will not be delivered now
                redriven.unread += max(depth.waiting - seen, 0)
                break
            seen += len(fresh)
            held |= {letter.id: letter for letter in batch}
            for letter in _redrive_batch(queue, fresh, selected_reasons, redriven, began_at):
                del held[letter.id]
            progress.step(len(fresh))
    finally:
        release_all(queue, held.values())


def _redrive_batch(
    queue: DeadLetters, letters: list[DeadLetter], reasons: Collection[str], redriven: Redriven, began_at: datetime
) -> list[DeadLetter]:
    """Send back those of the letters that are selected and old enough, and return those that were taken."""
    selected = [letter for letter in letters if not reasons or letter.reason.casefold() in reasons]
    chosen = [letter for letter in selected if letter.sent_at <= began_at]
    refused = _resend(queue, chosen)
    taken = [letter for letter in chosen if letter not in refused]
    redriven.kept.update(letter.reason for letter in letters if letter not in selected)
    redriven.newer.update(letter.reason for letter in selected if letter not in chosen)
    redriven.failed.update(letter.reason for letter in refused)
    redriven.redriven.update(letter.reason for letter in taken)
    return taken


def release_all(queue: DeadLetters, letters: Iterable[DeadLetter]) -> None:
    """Make the letters visible again at once: otherwise an audit would not see them for minutes."""
    for batch in batched(letters, RECEIVE_BATCH):
        queue.release(batch)


def _resend(queue: DeadLetters, letters: list[DeadLetter]) -> tuple[DeadLetter, ...]:
    try:
        return queue.resend(letters) if letters else ()
    except RetryLater:
        return tuple(letters)
