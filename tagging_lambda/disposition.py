"""What becomes of a delivered message: done, again after a wait, or a dead letter with its error beside it."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BadMessage, CatalogTaggerError, DeployerError, NotBegun, RetryLater
from pipeline.settings import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagging_lambda.reconcile import OutcomeOrError

FIRST_WAIT_S = 5  # chosen by us: longer than a burst of throttling, short enough for an upload
# DECISIONS.md, 11
BUG_RECEIVES = 5  # chosen by us: a bug that is no accident shows itself again after 5, 10, 20 and 40 s


@dataclass(frozen=True, slots=True)
class Done:
    """The message is acknowledged: every image that it names has its end."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The message comes again after so many seconds."""

    wait_s: int


@dataclass(frozen=True, slots=True)
class Dead:
    """The message ends as a dead letter, with this beside it."""

    error: str


Disposition = Done | Retry | Dead


@dataclass(frozen=True)
class BackOff:
    """How long a message waits: twice as long each time it was received, by chance down to half of that.

    Chance keeps what failed together from coming again together.
    """

    longest_s: int = WAIT_S
    first_s: int = FIRST_WAIT_S
    chance: Callable[[], float] = random.random

    def wait_s(self, receives: int) -> int:
        """Return the seconds to wait after that many receives, this one included."""
        full_s = min(self.longest_s, self.first_s << min(receives - 1, 30))
        return max(1, round(full_s * (1 + self.chance()) / 2))


def disposition_of(outcomes: Sequence[OutcomeOrError | BadMessage], receives: int, back_off: BackOff) -> Disposition:
    """Return what becomes of a message, by what its images' looks came to and how often it was received.

    Who acts next decides. Nobody: the message comes again, however often, and a lack of time is no failure at all.
    The deployer: likewise, for the image is not at fault. The operator: a message that cannot be read is dead at once,
    and a bug that stays is dead after ``BUG_RECEIVES``, unless another image of the message still waits for its look.
    """
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if not failures:
        return Done()
    waiting = [failure for failure in failures if isinstance(failure, RetryLater | DeployerError)]
    if any(not isinstance(failure, NotBegun) for failure in waiting):
        return Retry(back_off.wait_s(receives))
    if waiting:
        return Retry(0)
    if receives >= BUG_RECEIVES or any(isinstance(failure, BadMessage) for failure in failures):
        return Dead(told(failures[0]))
    return Retry(back_off.wait_s(receives))


def told(error: BaseException) -> str:
    """Return the error in words of our own: what a stranger's library says may be the attacker's text."""
    if isinstance(error, CatalogTaggerError):
        return f"{type(error).__name__}: {error}"
    places = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {place.name} ({Path(place.filename).name}, line {place.lineno})" for place in places)
    return f"{type(error).__name__}{where}"
