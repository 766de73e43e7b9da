"""Redriving: dead letters go back to where they came from, and none is lost on the way."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from catalog_loader.redrive import Redriven, redrive
from pipeline.dead_letters import UNDONE, DeadLetter
from pipeline.errors import Denied, RetryLater
from pipeline.images import ImageRef
from pipeline.memory.dead_letters import MemoryDeadLetters
from pipeline.messages import TagImage
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

QUIET = Progress("redrive", quiet=True)
BEGAN_AT = datetime(2026, 2, 1, tzinfo=UTC)  # after every letter that nobody says more of
EVERY_REASON: tuple[str, ...] = ()


def redriven_by(queue: MemoryDeadLetters, reasons: Collection[str] = EVERY_REASON) -> tuple[int, int, int]:
    """Return how many letters went back, were kept, and were not taken."""
    redriven = Redriven()
    redrive(queue, reasons, redriven, QUIET, BEGAN_AT)
    return redriven.redriven.total(), redriven.kept.total(), redriven.failed.total()


def message(at: int) -> str:
    """Return the body of a message that can be read."""
    return TagImage(ImageRef("shop", f"{at}.jpg"), "run-1").encode()


@pytest.fixture
def queue() -> MemoryDeadLetters:
    """22 letters that the queue gave up, 3 that died of a bug, and 3 that cannot be read."""
    queue = MemoryDeadLetters()
    for at in range(25):
        queue.add(message(at), error="ValueError in load (Image.py, line 7)" if at < 3 else None)
    for at in range(3):
        queue.add(f"garbage {at}", error="BadMessage: the message is not JSON")
    return queue


def test_every_letter_goes_back_as_it_was(queue: MemoryDeadLetters) -> None:
    bodies = sorted(letter.body for letter in queue.letters)

    assert redriven_by(queue) == (28, 0, 0)
    assert sorted(queue.source) == bodies
    assert (len(queue.letters), len(queue.hidden)) == (0, 0)


@pytest.mark.parametrize(
    ("reasons", "redriven"),
    [(["BadMessage"], 3), (["valueerror"], 3), ([UNDONE], 22), (["BadMessage", "ValueError"], 6), (["KeyError"], 0)],
)
def test_only_letters_of_the_reason_go_back_and_the_rest_can_be_seen_again(
    queue: MemoryDeadLetters, reasons: list[str], redriven: int
) -> None:
    assert redriven_by(queue, reasons) == (redriven, 28 - redriven, 0)
    assert len(queue.source) == redriven
    assert (len(queue.letters), len(queue.hidden)) == (28 - redriven, 0)
    assert not {letter.reason for letter in queue.letters} & set(reasons)


def test_what_became_of_the_letters_is_counted_by_reason(queue: MemoryDeadLetters) -> None:
    redriven = Redriven()
    redrive(queue, ["BadMessage"], redriven, QUIET, BEGAN_AT)

    assert redriven == Redriven(Counter(BadMessage=3), Counter(Undone=22, ValueError=3), Counter())


def test_a_letter_that_is_not_taken_stays_and_is_counted(queue: MemoryDeadLetters) -> None:
    queue.refuse = {message(3), message(17)}

    assert redriven_by(queue) == (26, 0, 2)
    assert sorted(letter.body for letter in queue.letters) == sorted(queue.refuse)


def test_a_throttled_queue_loses_nothing() -> None:
    class Throttled(MemoryDeadLetters):
        def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
            raise RetryLater("throttled")

    queue = Throttled()
    queue.add(message(1))

    assert redriven_by(queue) == (0, 0, 1)
    assert (len(queue.letters), len(queue.hidden)) == (1, 0)


def test_an_error_on_the_way_lets_what_was_received_be_seen_again() -> None:
    class Forbidden(MemoryDeadLetters):
        def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
            raise Denied("the queue: AWS answers AccessDenied")

    queue = Forbidden()
    queue.add(message(1))

    with pytest.raises(Denied):
        redriven_by(queue)
    assert (len(queue.letters), len(queue.hidden)) == (1, 0)


def test_letters_that_come_round_again_end_it() -> None:
    class Forgetful(MemoryDeadLetters):
        """A queue that hides nothing."""

        def receive(self) -> tuple[DeadLetter, ...]:
            return tuple(self.letters)[:10]

        def release(self, letters: Sequence[DeadLetter]) -> None:
            """There is nothing to do."""

    queue = Forgetful()
    queue.add("garbage")

    assert redriven_by(queue, ["KeyError"]) == (0, 1, 0)


def test_an_empty_queue_is_done_at_once() -> None:
    assert redriven_by(MemoryDeadLetters()) == (0, 0, 0)


def test_what_dies_again_at_once_goes_back_once() -> None:
    class DyingAgain(MemoryDeadLetters):
        def resend(self, letters: Sequence[DeadLetter]) -> tuple[DeadLetter, ...]:
            refused = super().resend(letters)
            for letter in letters:
                self.add(letter.body, letter.error, BEGAN_AT + timedelta(seconds=1))
            return refused

    queue = DyingAgain()
    for at in range(25):
        queue.add(f"garbage {at}", error="BadMessage: the message is not JSON")
    redriven = Redriven()

    redrive(queue, EVERY_REASON, redriven, QUIET, BEGAN_AT)

    assert redriven == Redriven(Counter(BadMessage=25), newer=Counter(BadMessage=25))
    assert (len(queue.letters), len(queue.hidden)) == (25, 0)
