"""The layout of postings: how the rows of keywords are divided into row groups and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from results_sink.export.manifest import KeywordRows


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of an export is in memory, in a row group and in a file. All chosen by us.

    Attributes:
        batch_records: records that become a table at once; some 10 MB.
        run_rows: rows that are sorted in memory; some 30 MB.
        merged_rows: rows of each sorted run that are in memory while the runs are merged; some 0.2 MB.
        merged_batches: the fewest such batches merged at once; fewer would make merging a few runs slow.
        row_group_rows: the most rows of a row group; it is read in half a millisecond and takes 2 kB in the footer.
        images_part_rows: the rows at which a file of ``images/`` is full; some 20 MB.
        postings_part_rows: the rows at which a file of ``postings/`` is full; some 20 MB.
    """

    batch_records: int = 4_096
    run_rows: int = 65_536
    merged_rows: int = 512
    merged_batches: int = 32
    row_group_rows: int = 2_048
    images_part_rows: int = 262_144
    postings_part_rows: int = 524_288


def row_group_sizes(keyword_rows: Iterable[int], row_group_rows: int) -> Iterator[int]:
    """Yield how many rows each row group takes, so that a keyword of up to ``row_group_rows`` lies within one.

    Small keywords share a row group; a larger one begins its own.
    """
    filled = 0
    for rows in keyword_rows:
        if filled and filled + rows > row_group_rows:
            yield filled
            filled = 0
        filled += rows
        while filled > row_group_rows:
            yield row_group_rows
            filled -= row_group_rows
    if filled:
        yield filled


def divide_keywords(keywords: Iterable[KeywordRows], file_rows: Sequence[int]) -> list[tuple[KeywordRows, ...]]:
    """Return the keywords in each file of so many rows; a keyword may continue in the next file."""
    files: list[tuple[KeywordRows, ...]] = []
    queue = iter(keywords)
    keyword_id, left = "", 0
    for rows in file_rows:
        inside: list[KeywordRows] = []
        room = rows
        while room:
            if not left:
                following = next(queue)
                keyword_id, left = following.keyword_id, following.rows
            taken = min(room, left)
            inside.append(KeywordRows(keyword_id, taken))
            room, left = room - taken, left - taken
        files.append(tuple(inside))
    return files
