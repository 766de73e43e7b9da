"""Row groups: no small keyword lies in two of them, and every row is found again."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from results_sink.export.manifest import KeywordRows, PartFile
from results_sink.export.postings_layout import Sizes, divided, row_group_sizes, stretches

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


@given(counts, st.integers(1, 4))
def test_every_keyword_is_found_where_its_rows_were_written(rows: list[int], groups_per_file: int) -> None:
    keywords = [KeywordRows(f"k{at:03}", each) for at, each in enumerate(rows)]
    sizes = list(row_group_sizes(rows, ROW_GROUP_ROWS))
    files = [sizes[at : at + groups_per_file] for at in range(0, len(sizes), groups_per_file)]
    inside = divided(keywords, [sum(file) for file in files])
    parts = [PartFile(f"part-{at}", sum(file), 0, "", tuple(file), inside[at]) for at, file in enumerate(files)]

    written = [keyword.keyword_id for keyword in keywords for _ in range(keyword.rows)]
    first_of_part = dict(zip([part.name for part in parts], accumulate([0, *(p.rows for p in parts)]), strict=False))
    for keyword in keywords:
        found = stretches(parts)[keyword.keyword_id]
        assert sum(each.rows for each in found) == keyword.rows
        for each in found:
            begin = first_of_part[each.part.name] + each.first
            assert set(written[begin : begin + each.rows]) == {keyword.keyword_id}


@given(counts)
def test_the_row_groups_of_a_stretch_begin_and_end_with_it(rows: list[int]) -> None:
    sizes = tuple(row_group_sizes(rows, ROW_GROUP_ROWS))
    keywords = tuple(KeywordRows(f"k{at:03}", each) for at, each in enumerate(rows))
    part = PartFile("part", sum(sizes), 0, "", sizes, keywords)

    for found in stretches([part]).values():
        groups, skip = found[0].row_groups
        assert list(groups) == list(range(groups[0], groups[-1] + 1))
        assert sum(sizes[: groups[0]]) + skip == found[0].first
        assert 0 <= skip < sizes[groups[0]]
        assert skip + found[0].rows <= sum(sizes[at] for at in groups)
        assert skip + found[0].rows > sum(sizes[at] for at in groups[:-1])
