"""Waiting until the queues are empty."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.exit_codes import ATTENTION, DONE
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from catalog_loader.connect import Connected
    from catalog_loader.console import Console
    from pipeline.ports import MessageQueue

POLL_S = 5.0  # chosen by us: the counts of a queue are seconds old anyway


def wait_for_all(ports: Connected, console: Console, sleep: Callable[[float], object]) -> int:
    """Return when no message is left: 0, or 1 if dead letters are there."""
    depths = [queue.depth() for queue in ports.queues.values()]
    total = sum(depth.waiting + depth.in_flight for depth in depths)
    with Progress("tagging", total=total or None, unit="messages", quiet=console.as_json) as progress:
        wait_until_empty(ports.queues.values(), sleep, progress)
    dead_letters = sum(queue.state().dead_letters for queue in ports.watched)
    if dead_letters:
        console.hint(f"{dead_letters:,} dead letters; `catalog-tagger status` shows their queue")
    return ATTENTION if dead_letters else DONE


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
