"""A parallel map that keeps the order of its items, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_order(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    at_once: int,
    ahead: int,
    on_stop: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Yield ``work(item)`` of every item, in the items' order, ``at_once`` threads working at a time.

    At most ``ahead`` items are taken before the first result is yielded. If the items end with an error, the results of
    those before it are yielded first. If the work or the consumer raises, ``on_stop`` is called, running work finishes,
    and nothing more is started.
    """
    started: deque[Future[R]] = deque()
    items_end = _ItemsEnd()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for item in items_end.until_error(items):
                started.append(threads.submit(work, item))
                while started and (len(started) >= ahead or started[0].done()):
                    yield started.popleft().result()
            while started:
                yield started.popleft().result()
        except BaseException:
            on_stop()
            for future in started:
                future.cancel()
            raise
    if items_end.error is not None:
        raise items_end.error


@dataclass
class _ItemsEnd:
    """How the items ended: with this error, or without one."""

    error: Exception | None = None

    def until_error(self, items: Iterable[T]) -> Iterator[T]:
        try:
            yield from items
        except Exception as error:  # noqa: BLE001 - it is raised again, after what came before it is done
            self.error = error
