"""How many looks are left until keywords are as right as somebody wants, by their scores."""

from __future__ import annotations

import numpy as np
import pytest

from results_sink.search.precision import PrecisionForecast, forecast

# Four photos: sure, unsure, of two keywords, and one that a person decided.
COUNTS = np.array([1, 1, 2, 1])
ERRORS = np.array([0.1, 0.5, 0.4, 0.0])
SUREST = np.array([0.9, 0.5, 0.8, 1.0], np.float32)
DECIDED = np.array([False, False, False, True])


@pytest.mark.parametrize(
    ("target", "looks"),
    [(0.8, 0), (0.81, 1), (0.9, 1), (0.91, 2), (0.98, 2), (0.99, 3), (1.0, 3)],
)
def test_the_least_sure_are_looked_at_until_so_many_keywords_are_right(target: float, looks: int) -> None:
    assert forecast(COUNTS, ERRORS, SUREST, DECIDED, target).looks == looks


def test_a_forecast_says_what_there_is_and_how_right_it_is_now() -> None:
    assert forecast(COUNTS, ERRORS, SUREST, DECIDED, 0.5) == PrecisionForecast(
        photos=4, decided=1, keywords=5, precision=pytest.approx(0.8), looks=0
    )


def test_where_there_is_no_keyword_nothing_is_wrong() -> None:
    none = np.zeros(2)

    assert forecast(none.astype(int), none, none.astype(np.float32), none.astype(bool), 1.0) == PrecisionForecast(
        photos=0, decided=0, keywords=0, precision=1.0, looks=0
    )
