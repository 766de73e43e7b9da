"""Dispositions: a delivered message is acknowledged, retried after a wait, or dead-lettered with its error."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BadMessage, CatalogTaggerError, DeployerError, NotBegun, RetryLater, UnreadableRecord
from pipeline.settings import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagging_lambda.reconcile import OutcomeOrError

FIRST_WAIT_S = 5  # chosen by us: longer than a burst of throttling, short enough for an upload
# A bug that is no accident recurs after 5, 10, 20 and 40 s. Chosen by us; the queue's own limit is far higher, because
# that one also counts throttling (DECISIONS.md, 11).
BUG_RECEIVES = 5


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Every image that the message names is reconciled: the queue may delete it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The message is delivered again after so many seconds."""

    wait_s: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The message goes to the dead-letter queue, with this error beside it."""

    error: str


Disposition = Acknowledge | Retry | DeadLetter


@dataclass(frozen=True)
class BackOff:
    """How long a message waits: twice as long after each receive, minus a random part of up to one half.

    The random part keeps messages that failed together from returning together.
    """

    longest_s: int = WAIT_S
    first_s: int = FIRST_WAIT_S
    random: Callable[[], float] = random.random

    def wait_s(self, receives: int) -> int:
        """Return the seconds to wait after that many receives, this one included."""
        full_s = min(self.longest_s, self.first_s << min(receives - 1, 30))
        return max(1, round(full_s * (1 + self.random()) / 2))


def disposition_of(outcomes: Sequence[OutcomeOrError | BadMessage], receives: int, back_off: BackOff) -> Disposition:
    """Return the disposition of a message, from the outcomes of its images and how often it was received.

    It depends on who acts next. Nobody: the message is retried, however often; after a lack of time, without a wait.
    The deployer: the same, because the image is not at fault. The operator: a message or a record that cannot be read
    is dead-lettered at once, and a bug after ``BUG_RECEIVES``, unless another image of the message must be retried.
    """
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if not failures:
        return Acknowledge()
    retried = [failure for failure in failures if isinstance(failure, RetryLater | DeployerError)]
    if any(not isinstance(failure, NotBegun) for failure in retried):
        return Retry(back_off.wait_s(receives))
    if retried:
        return Retry(0)
    is_hopeless = any(isinstance(failure, BadMessage | UnreadableRecord) for failure in failures)
    if is_hopeless or receives >= BUG_RECEIVES:
        return DeadLetter(describe(failures[0]))
    return Retry(back_off.wait_s(receives))


def describe(error: BaseException) -> str:
    """Return the error in our own words: an attacker may control the text of a library's error."""
    if isinstance(error, CatalogTaggerError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {frame.name} ({Path(frame.filename).name}, line {frame.lineno})" for frame in frames)
    return f"{type(error).__name__}{where}"
