"""Row groups: no small keyword lies in two of them, and every row is found again."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from results_sink.export.postings_layout import Sizes, row_group_sizes

ROW_GROUP_ROWS = Sizes().row_group_rows
counts = st.lists(st.one_of(st.integers(1, 50), st.integers(1, 5 * ROW_GROUP_ROWS)), max_size=40)


@given(counts)
def test_row_groups_hold_all_rows_and_none_is_too_large(rows: list[int]) -> None:
    sizes = list(row_group_sizes(rows, ROW_GROUP_ROWS))

    assert sum(sizes) == sum(rows)
    assert all(0 < size <= ROW_GROUP_ROWS for size in sizes)


@given(counts)
def test_a_keyword_that_fits_lies_within_one_row_group(rows: list[int]) -> None:
    ends = list(accumulate(row_group_sizes(rows, ROW_GROUP_ROWS)))

    first = 0
    for each in rows:
        if each <= ROW_GROUP_ROWS:
            begins_in = next(at for at, end in enumerate(ends) if end > first)
            assert ends[begins_in] >= first + each
        first += each


def test_small_keywords_share_a_row_group() -> None:
    assert list(row_group_sizes([10, 20, 30], 60)) == [60]
