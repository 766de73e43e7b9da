"""The journal holds what was acknowledged, in order, and loses nothing if its own replay is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.journal import JOURNAL_NAME, ItemChange, Journal, Recovered, SentMessage

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = [
    ItemChange("records", {"image": {"S": "s3://shop/é.jpg"}, "scores": {"B": "AAE="}}),
    SentMessage("uploads", '{"Records": []}', {"error": {"DataType": "String", "StringValue": "x"}}),
    ItemChange("records", {"image": {"S": "s3://shop/é.jpg"}}, is_removed=True),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    for entry in ENTRIES:
        journal.append(entry)
    return journal


def test_what_was_appended_is_replayed_in_order(journal: Journal) -> None:
    assert journal.count() == Recovered(items=2, messages=1)
    assert list(journal.begin_replay()) == ENTRIES


def test_another_process_reads_it(journal: Journal, tmp_path: Path) -> None:
    assert list(Journal(tmp_path).begin_replay()) == ENTRIES


def test_a_replay_that_is_cut_off_begins_again_with_what_came_since_behind_it(journal: Journal) -> None:
    next(journal.begin_replay())
    journal.append(ENTRIES[0])

    assert journal.count() == Recovered(items=3, messages=1)
    assert list(journal.begin_replay()) == [*ENTRIES, ENTRIES[0]]


def test_a_replay_that_ended_leaves_only_what_was_appended_meanwhile(journal: Journal) -> None:
    for entry in journal.begin_replay():
        journal.append(entry)
    journal.end_replay()

    assert list(journal.begin_replay()) == ENTRIES


def test_a_line_that_was_cut_off_was_never_acknowledged(journal: Journal, tmp_path: Path) -> None:
    with (tmp_path / JOURNAL_NAME).open("a", encoding="utf-8") as file:
        file.write('{"item": {"table": "rec')

    assert list(journal.begin_replay()) == ENTRIES


def test_after_a_clean_stop_there_is_nothing(journal: Journal) -> None:
    journal.clear()

    assert journal.count() == Recovered(0, 0)
    assert list(journal.begin_replay()) == []
