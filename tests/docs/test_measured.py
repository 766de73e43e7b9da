"""The speed tables of the documents are those of the figures that the benches keep."""

from __future__ import annotations

import pytest

from tests.bench.tables import block, speed_tables, write_block


@pytest.mark.parametrize(("document", "figures", "table"), speed_tables())
def test_a_document_shows_the_kept_figures_and_on_what_they_were_measured(document, figures, table):
    """`python -m tests.bench.plots` writes them."""
    assert block(figures, table) in document.read_text(encoding="utf-8")


def test_a_table_replaces_the_one_with_the_same_head_and_nothing_around_it(tmp_path):
    document, page = tmp_path / "page.md", "# Speed\n\n{}\n\n| way |\n|---|\n{}\n\nThe end.\n"
    document.write_text(page.format("an older machine:", "| old |\n| slow |"))
    figures = {"machine": "a machine", "date": "2026-01-01", "rounds": 5, "photos": 600}

    write_block(document, figures, ["| way |", "|---|", "| new |"])

    assert document.read_text() == page.format("a machine, 2026-01-01, 5 rounds over 600 photos:", "| new |")
