"""Progress: lines where there is no terminal, and nothing at all where a document is asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.progress import LINE_EVERY_S, Progress

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.fixture
def seconds() -> list[float]:
    """The seconds that a clock shows; the last one for ever."""
    return [0.0]


@pytest.fixture
def clock(seconds: list[float]) -> Callable[[], float]:
    """A clock that shows the last of ``seconds``."""
    return lambda: seconds[-1]


def test_a_line_comes_now_and_then_with_rate_and_time_left(clock: Callable[[], float], seconds: list[float]) -> None:
    stream = io.StringIO()
    with Progress("load", total=100, stream=stream, clock=clock) as progress:
        progress.step(10)
        seconds.append(LINE_EVERY_S)
        progress.step(10)
        progress.step(10)
        seconds.append(2 * LINE_EVERY_S)
        progress.step(70)

    assert stream.getvalue().splitlines() == [
        "load: 20 of 100 images, 4.0/s, 20 s left",
        "load: 100 of 100 images, 10.0/s, 0 s left",
        "load: 100 of 100 images, 10.0/s, done",
    ]


def test_without_a_total_it_says_that_it_runs(clock: Callable[[], float], seconds: list[float]) -> None:
    stream = io.StringIO()
    with Progress("load", unit="photos", stream=stream, clock=clock) as progress:
        seconds.append(LINE_EVERY_S)
        progress.step(1000)

    assert stream.getvalue().splitlines()[0] == "load: 1,000 photos, 200.0/s, running"


def test_what_ends_soon_says_nothing(clock: Callable[[], float]) -> None:
    stream = io.StringIO()
    with Progress("load", total=1, stream=stream, clock=clock) as progress:
        progress.step()

    assert stream.getvalue() == ""


def test_quiet_says_nothing_however_long_it_takes(clock: Callable[[], float], seconds: list[float]) -> None:
    for stream in (io.StringIO(), Terminal()):
        with Progress("load", quiet=True, stream=stream, clock=clock) as progress:
            seconds.append(seconds[-1] + 1000)
            progress.step()

        assert stream.getvalue() == ""


def test_on_a_terminal_it_is_a_bar() -> None:
    stream = Terminal()
    with Progress("load", total=2, stream=stream) as progress:
        assert list(progress.over("ab")) == ["a", "b"]

    assert "load: 100%" in stream.getvalue()
    assert "2/2" in stream.getvalue()


def test_an_error_ends_it_without_a_word(clock: Callable[[], float], seconds: list[float]) -> None:
    stream = io.StringIO()
    progress = Progress("load", stream=stream, clock=clock)
    seconds.append(LINE_EVERY_S)
    progress.step()

    with pytest.raises(ValueError, match="stop"), progress:
        raise ValueError("stop")

    assert stream.getvalue().splitlines() == ["load: 1 images, 0.2/s, running"]
