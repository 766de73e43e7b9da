"""Filters: conditions on results beside the query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.keywords import Source
    from results_sink.export.columns import ImageColumns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on results beside the query; None, or empty, means any.

    Attributes:
        needs_a_look: whether the machine was not sure of the image.
        source: what gave the image one of its keywords.
        reason: why the image was rejected; only this filter finds rejected images.
        text: words that the product's id, title or brand must contain; case does not matter.
        colour: the id of a colour of the product.
        rule: a photo rule that the image breaks, such as ``google:blurred``, or a whole set: ``google``.
        contradicted: whether the shop's listing contradicts the image's keywords.
        since: the first day of observation, in UTC.
        until: the last one, inclusive.
    """

    needs_a_look: bool | None = None
    source: Source | None = None
    reason: str | None = None
    text: str = ""
    colour: str | None = None
    rule: str | None = None
    contradicted: bool | None = None
    since: date | None = None
    until: date | None = None

    def flags(self, columns: ImageColumns) -> NDArray[np.bool_]:
        """Return which images pass all filters but two: bool [N].

        ``rule_breaks`` and ``contradictions`` decide ``rule`` and ``contradicted``.
        """
        passed = np.ones(len(columns), np.bool_)
        if self.needs_a_look is not None:
            passed &= columns.needs_a_look == self.needs_a_look
        if self.source is not None:
            passed &= columns.has_source(self.source)
        if self.reason is not None:
            passed &= columns.has_reason(self.reason)
        if self.text:
            passed &= columns.mentions(self.text)
        if self.colour is not None:
            passed &= columns.colours.has(self.colour) if columns.colours else False
        if self.since is not None:
            passed &= columns.observed_us >= _microseconds(self.since)
        if self.until is not None:
            passed &= columns.observed_us < _microseconds(self.until + timedelta(days=1))
        return passed


NO_FILTERS = Filters()


def _microseconds(day: date) -> int:
    """Return the start of a day in UTC, in microseconds since 1970."""
    return (datetime.combine(day, time(), UTC) - _EPOCH) // timedelta(microseconds=1)
