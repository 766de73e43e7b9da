"""Downloads ahead of their turn: results are yielded in groups as they arrive, and only a few run ahead."""

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
GROUP = 4  # images; on one core, larger groups gain under 4 % and delay the first ones
# Images downloaded or being downloaded before their turn. At 20 MiB each this bounds a batch to 200 MiB, however
# large it is (DECISIONS.md, 6).
AHEAD = 10
LONGEST_PATIENCE_S = 3600.0  # chosen by us: longer than any function runs, and than a download takes


def prefetch(
    fetches: Mapping[ImageRef, Callable[[], T]], pool: Executor, time_left_s: Callable[[], float]
) -> Iterator[dict[ImageRef, T | BaseException]]:
    """Yield what the fetches return or raise, in groups of those that have finished.

    It ends early when the time is nearly over. Fetches that were not started are then in no group; those still running
    are in the last one, as ``RetryLater``.
    """
    waiting = iter(fetches.items())
    pending: dict[Future[T], ImageRef] = {}
    arrived: dict[ImageRef, T | BaseException] = {}
    while (patience_s := time_left_s() - LEAST_TIME_S) > 0:
        for image, fetch in islice(waiting, AHEAD - len(pending) - len(arrived)):
            pending[pool.submit(fetch)] = image
        if not pending and not arrived:
            return
        finished = wait(pending, 0 if arrived else min(patience_s, LONGEST_PATIENCE_S), FIRST_COMPLETED).done
        arrived |= {pending.pop(future): future.exception() or future.result() for future in finished}
        group = dict(islice(arrived.items(), GROUP))
        arrived = {image: result for image, result in arrived.items() if image not in group}
        yield group
    yield _give_up(pending)


def _give_up(pending: Mapping[Future[T], ImageRef]) -> dict[ImageRef, T | BaseException]:
    """Cancel the fetches that were not started, and return those that are still running."""
    for future in pending:
        future.cancel()
    return {image: RetryLater("the download takes too long") for future, image in pending.items() if future.running()}
