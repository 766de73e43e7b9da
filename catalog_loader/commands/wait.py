"""Waiting until the queues are empty."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipeline.ports import MessageQueue
    from pipeline.progress import Progress

POLL_S = 5.0  # chosen by us: the counts of a queue are seconds old anyway


def wait_until_empty(
    queues: Collection[MessageQueue], sleep: Callable[[float], object], progress: Progress | None = None
) -> None:
    """Return when no message waits or is being processed, as two readings in a row say.

    The counts of Amazon SQS are approximate: a single zero may be a message on its way between two servers.
    """
    readings = pairwise(_unfinished(queues, sleep))
    for before, unfinished in readings:
        if progress is not None and unfinished < before:
            progress.step(before - unfinished)
        if before == unfinished == 0:
            return


def _unfinished(queues: Collection[MessageQueue], sleep: Callable[[float], object]) -> Iterator[int]:
    while True:
        depths = [queue.depth() for queue in queues]
        yield sum(depth.waiting + depth.in_flight for depth in depths)
        sleep(POLL_S)
