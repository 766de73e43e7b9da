"""Work on many things at once that comes out in the order it went in, in memory that does not grow."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def overlapped(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    at_once: int,
    ahead: int,
    on_stop: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Yield ``work(item)`` of every item, in the items' order, ``at_once`` threads working at a time.

    At most ``ahead`` items are taken before the first of them is yielded, however many there are. Where the items end
    with an error, the answers to those before it are yielded first. When the work or the consumer stops with one,
    ``on_stop`` is called, what is being worked on is finished, and nothing more is begun.
    """
    begun: deque[Future[R]] = deque()
    ending = _Ending()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for item in ending.until_error(items):
                begun.append(threads.submit(work, item))
                while begun and (len(begun) >= ahead or begun[0].done()):
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        except BaseException:
            on_stop()
            for future in begun:
                future.cancel()
            raise
    if ending.error is not None:
        raise ending.error


@dataclass
class _Ending:
    """How a series of items ended: with an error, or without."""

    error: Exception | None = None

    def until_error(self, items: Iterable[T]) -> Iterator[T]:
        try:
            yield from items
        except Exception as error:  # noqa: BLE001 - it is raised again, after what came before it is done
            self.error = error
