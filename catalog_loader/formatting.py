"""How the loader's commands show names, counts, times and sums."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from pipeline.images import ImageRef

HIDDEN = "are hidden, for five minutes at the most, since somebody has received them"


def names_of(images: Iterable[ImageRef]) -> list[str]:
    """Return the images' names."""
    return [str(image) for image in images]


def name_lines(first: Iterable[ImageRef], count: int) -> list[str]:
    """Return a line for each of the first images, and one for how many more there are."""
    named = [f"  {printable(name)}" for name in names_of(first)]
    return named if count <= len(named) else [*named, f"  and {count - len(named):,} more"]


def counts(by_reason: Counter[str]) -> str:
    """Return the total and its parts, such as ``3 (2 .txt, 1 folder)``."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in by_reason.most_common())
    return f"{by_reason.total():,}" + (f" ({reasons})" if reasons else "")


def duration(seconds: float) -> str:
    """Return the time in the largest unit of which there are two."""
    for unit_s, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:,.1f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:,.0f} seconds"


def dollars(usd: float) -> str:
    """Return the amount in cents, or by its first two digits where it is less than a dollar."""
    if usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}" if usd else "$0"
