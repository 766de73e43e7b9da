"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Never, Self

    from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY_S = 5.0  # chosen by us: often enough to show that it is alive, seldom enough for a log


class Progress:
    """Counts units of work, of which ``total`` may be unknown, and shows the count on ``stream``."""

    def __init__(  # noqa: PLR0913 - all but the first have defaults
        self,
        title: str,
        *,
        total: int | None = None,
        unit: str = "images",
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show progress of ``title``; ``quiet`` shows nothing at all."""
        self._title, self._unit, self._quiet, self._clock = title, unit, quiet, clock
        self._stream = stream or sys.stderr
        self._total, self._done = total, 0
        self._started_s = self._shown_s = clock()
        self._bar = self._new_bar() if not quiet and self._stream.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and self._shown_s > self._started_s:
            self._line("done")

    def step(self, count: int = 1) -> None:
        """Count ``count`` more units as done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif not self._quiet and self._clock() - self._shown_s >= LINE_EVERY_S:
            self._shown_s = self._clock()
            self._line(self._left())

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, a step after each."""
        for item in items:
            yield item
            self.step()

    def _new_bar(self) -> tqdm[Never]:
        from tqdm import tqdm  # noqa: PLC0415 - it takes 30 ms to load, and only a terminal shows a bar

        unit = f" {self._unit}"
        return tqdm(total=self._total, desc=self._title, unit=unit, file=self._stream, dynamic_ncols=True)

    def _left(self) -> str:
        if not self._total or not self._done:
            return "running"
        left_s = (self._shown_s - self._started_s) / self._done * (self._total - self._done)
        return f"{left_s:,.0f} s left"

    def _line(self, state: str) -> None:
        rate = self._done / max(self._clock() - self._started_s, 1e-9)
        total = "" if self._total is None else f" of {self._total:,}"
        print(f"{self._title}: {self._done:,}{total} {self._unit}, {rate:,.1f}/s, {state}", file=self._stream)
