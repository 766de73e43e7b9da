"""Runs the product's command by a clock that is so many seconds off: ``python -m tests.chaos.clock 120 export``."""

from __future__ import annotations

import datetime as dt
import sys
import time
from importlib import import_module


class _IsAnyDatetime(type):
    """Times that others made, in C, are still times."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _RIGHT)


_RIGHT = dt.datetime


def set_clock_off(skew_s: float) -> None:
    """Let everything that asks for the time from now on be told a wrong one."""
    right_s = time.time

    class SkewedDatetime(_RIGHT, metaclass=_IsAnyDatetime):
        __slots__ = ()  # libraries in C compare its size

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return _RIGHT.fromtimestamp(right_s() + skew_s, tz)

    time.time = lambda: right_s() + skew_s
    dt.datetime = SkewedDatetime


if __name__ == "__main__":
    set_clock_off(float(sys.argv[1]))
    # The modules of the product take hold of the clock when they are imported.
    sys.exit(import_module("infra.cli").main(sys.argv[2:]))
