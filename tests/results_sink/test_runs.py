"""Sorting on disk gives what sorting in memory gives."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from results_sink.export.external_sort import Runs
from results_sink.export.postings_layout import Sizes
from results_sink.export.tables import IMAGES_ORDER, POSTINGS_ORDER

if TYPE_CHECKING:
    import random


SMALL = Sizes(run_rows=7, merged_rows=2, merged_batches=2)


def merged(tables: list[pa.Table], order: tuple[tuple[str, str], ...]) -> list[dict[str, object]]:
    """Return the rows after they went through runs, whose files must be gone then."""
    with TemporaryDirectory() as work:
        sorting = Runs(Path(work) / "runs", order, SMALL)
        for table in tables:
            sorting.add(table)
        rows = [row for table in sorting.merged() for row in table.to_pylist()]
        assert not list((Path(work) / "runs").iterdir())
    return rows


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=9), max_size=9))
def test_texts_come_out_in_the_order_of_their_characters(texts: list[list[str]]) -> None:
    tables = [pa.table({"image": pa.array(each, pa.string())}) for each in texts]

    rows = merged(tables, IMAGES_ORDER)

    assert [row["image"] for row in rows] == sorted(text for each in texts for text in each)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.25, 1.0])), max_size=80), st.randoms())
def test_postings_come_out_by_keyword_then_best_score_then_image(
    pairs: list[tuple[int, float]], chance: random.Random
) -> None:
    rows = [{"rank": rank, "score": score, "image_row": at} for at, (rank, score) in enumerate(pairs)]
    shuffled = chance.sample(rows, len(rows))
    schema = pa.schema([("rank", pa.int32()), ("score", pa.float64()), ("image_row", pa.int64())])
    tables = [pa.Table.from_pylist(shuffled[at : at + 5], schema) for at in range(0, len(rows), 5)]

    assert merged(tables, POSTINGS_ORDER) == sorted(rows, key=lambda r: (r["rank"], -r["score"], r["image_row"]))
