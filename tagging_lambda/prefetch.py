"""Downloads on their way: what arrives is given out in groups, and only a few are ever ahead of who takes them."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import RetryLater
from tagging_lambda.classification_cache import LEAST_TIME_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.images import ImageRef

T = TypeVar("T")
GROUP = 4  # images; on one core, larger groups gain under 4 % and keep the first ones waiting
# DECISIONS.md, 6
AHEAD = 10  # images downloaded or being downloaded before their turn: at 20 MiB each, 200 MiB at the most
LONGEST_PATIENCE_S = 3600.0  # chosen by us: longer than any function runs, and than a download takes


def arrivals(
    fetches: Mapping[ImageRef, Callable[[], T]], pool: Executor, time_left_s: Callable[[], float]
) -> Iterator[dict[ImageRef, T | BaseException]]:
    """Yield what the fetches return or raise, in groups of what has arrived meanwhile.

    It ends early where the time is nearly over: what was not begun then is in none of the groups, and what was is in
    the last one, as ``RetryLater``.
    """
    waiting = iter(fetches.items())
    pending: dict[Future[T], ImageRef] = {}
    arrived: dict[ImageRef, T | BaseException] = {}
    while (patience_s := time_left_s() - LEAST_TIME_S) > 0:
        for image, fetch in islice(waiting, AHEAD - len(pending) - len(arrived)):
            pending[pool.submit(fetch)] = image
        if not pending and not arrived:
            return
        ended = wait(pending, 0 if arrived else min(patience_s, LONGEST_PATIENCE_S), FIRST_COMPLETED).done
        arrived |= {pending.pop(future): future.exception() or future.result() for future in ended}
        group = dict(islice(arrived.items(), GROUP))
        arrived = {image: found for image, found in arrived.items() if image not in group}
        yield group
    for future in pending:
        future.cancel()
    yield {image: RetryLater("the download takes too long") for future, image in pending.items() if future.running()}
