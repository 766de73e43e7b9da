"""What is removed from an export: a plan with a rule for each file, and nothing that anybody may still need."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RetryLater
from pipeline.ports import StoredFile
from results_sink.export.cleanup import RUNNING, Deletion, Rule, plan_deletions
from results_sink.export.manifest import DeltaFile, FileSum, Latest, superseded_name
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import NOW, tagged

if TYPE_CHECKING:
    from pathlib import Path

OLD, YOUNG = NOW - RUNNING - timedelta(seconds=1), NOW - RUNNING
PARTS = ("manifest.json", "images/part-00000.parquet")


def delta(number: int) -> DeltaFile:
    """Return the entry of a delta."""
    return DeltaFile(f"deltas/{number}.parquet", 1, 1, "0", NOW)


def state(snapshot: str, *deltas: int) -> Latest:
    """Return what is published while this snapshot is, under these deltas."""
    manifest = FileSum(f"snapshots/{snapshot}/manifest.json", 1, "0")
    return Latest(snapshot, manifest, tuple(delta(number) for number in deltas))


def file(name: str, modified_at=OLD) -> StoredFile:
    """Return a listed file."""
    return StoredFile(name, 1, "v", modified_at)


def snapshot_files(snapshot: str, modified_at=OLD, replaced_at=None) -> list[StoredFile]:
    """Return the files of a snapshot, with the list of its deltas where it was replaced."""
    files = [file(f"snapshots/{snapshot}/{part}", modified_at) for part in PARTS]
    return files + ([file(superseded_name(snapshot), replaced_at)] if replaced_at else [])


def test_a_replaced_snapshot_goes_at_once_and_its_list_of_deltas_when_no_export_needs_it() -> None:
    stored = [
        *snapshot_files("a", YOUNG, replaced_at=YOUNG),
        *snapshot_files("b", YOUNG, replaced_at=YOUNG + timedelta(seconds=1)),
        *snapshot_files("c", YOUNG),
        file("deltas/1.parquet"),
    ]
    superseded = {"a": state("a", 1), "b": state("b")}

    at_once = plan_deletions(stored, state("c"), superseded, NOW, 2)
    later = plan_deletions(stored, state("c"), superseded, NOW + timedelta(hours=1), 2)

    parts = [Deletion(f"snapshots/a/{part}", Rule.REPLACED) for part in sorted(PARTS)]
    assert at_once == tuple(parts)
    assert set(later) - set(at_once) == {
        Deletion("snapshots/a/superseded.json", Rule.HISTORY),
        Deletion("deltas/1.parquet", Rule.UNNAMED),
    }


@pytest.mark.parametrize(("youngest", "goes"), [(OLD, True), (YOUNG, False)])
def test_a_snapshot_that_was_never_published_goes_a_day_after_its_youngest_file(youngest, *, goes: bool) -> None:
    half = [
        file("snapshots/half/images/part-00000.parquet"),
        file("snapshots/half/images/part-00001.parquet", youngest),
    ]

    deletions = plan_deletions([*half, *snapshot_files("c")], state("c"), {}, NOW, 1)

    assert [deletion.rule for deletion in deletions] == [Rule.ABANDONED] * (2 * goes)


@pytest.mark.parametrize(("modified_at", "goes"), [(OLD, True), (YOUNG, False)])
def test_a_delta_that_nothing_names_goes_after_a_day(modified_at, *, goes: bool) -> None:
    deletions = plan_deletions([file("deltas/1.parquet", modified_at)], state("c"), {}, NOW, 3)

    assert deletions == ((Deletion("deltas/1.parquet", Rule.UNNAMED),) if goes else ())


ages = st.integers(0, 60).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[StoredFile], Latest, dict[str, Latest]]:
    """Draw any export: snapshots whole or half, replaced or not, of any age, and deltas named or not."""
    stored, superseded = [], {}
    for snapshot in draw(st.lists(st.sampled_from("abcdef"), unique=True)):
        parts = draw(st.lists(st.sampled_from(PARTS), unique=True))
        written_at = [draw(ages) for _ in parts]
        stored += [file(f"snapshots/{snapshot}/{part}", at) for part, at in zip(parts, written_at, strict=True)]
        if draw(st.booleans()):  # replaced: that is after all of it was written
            stored.append(file(superseded_name(snapshot), max([draw(ages), *written_at])))
            superseded[snapshot] = state(snapshot, *draw(st.lists(st.integers(0, 9), unique=True)))
    stored += [file(f"deltas/{number}.parquet", draw(ages)) for number in range(10)]
    latest = state(draw(st.sampled_from("abcdefg")), *draw(st.lists(st.integers(0, 9), unique=True)))
    return stored, latest, superseded


@given(stores(), st.integers(1, 4))
def test_nothing_that_a_reader_or_a_running_export_may_need_is_ever_planned_to_go(store, kept: int) -> None:
    stored, latest, superseded = store
    gone = {deletion.name for deletion in plan_deletions(stored, latest, superseded, NOW, kept)}
    young = {stored_file.name for stored_file in stored if stored_file.modified_at >= NOW - RUNNING}
    replaced_at = {
        name: next(stored_file.modified_at for stored_file in stored if stored_file.name == superseded_name(name))
        for name in superseded
    }
    others = sorted(superseded.keys() - {latest.snapshot}, key=lambda name: (replaced_at[name], name))
    kept_whole = {latest.snapshot, *others[len(others) - kept + 1 :]} if kept > 1 else {latest.snapshot}

    assert not {name for name in gone if name.split("/")[1] in kept_whole}
    assert not {name for name in gone & young if name.split("/")[1] not in superseded}
    histories = [name for name in superseded if superseded_name(name) not in gone]
    needed = {entry.name for name in histories for entry in superseded[name].deltas}
    assert not gone & {*needed, *(entry.name for entry in latest.deltas)}


@given(stores(), st.integers(1, 4))
def test_a_plan_that_is_carried_out_late_deletes_nothing_that_a_later_plan_would_keep(store, kept: int) -> None:
    """It may be stopped anywhere, and time may pass: each rule that holds goes on holding."""
    stored, latest, superseded = store
    early = plan_deletions(stored, latest, superseded, NOW, kept)
    half = {deletion.name for deletion in early[::2]}
    left = [stored_file for stored_file in stored if stored_file.name not in half]
    read = {name: published for name, published in superseded.items() if superseded_name(name) not in half}
    late = plan_deletions(left, latest, read, NOW + timedelta(hours=5), kept)

    assert {deletion.name for deletion in early} - half <= {deletion.name for deletion in late}
    everything = {deletion.name for deletion in (*early, *late)}
    rest = [stored_file for stored_file in stored if stored_file.name not in everything]
    read = {name: published for name, published in superseded.items() if superseded_name(name) not in everything}
    assert plan_deletions(rest, latest, read, NOW + timedelta(hours=5), kept) == ()


# ---- First start -----------------------------------------------------------------------------------------------------


def test_two_shards_that_begin_at_once_keep_each_others_changes_while_others_clean_up(tmp_path: Path) -> None:
    """The second begins while the first does; its snapshot of nothing is young, whatever year its name says."""
    shop = Shop(tmp_path)
    shop.put(tagged("a.jpg", boot=0.9), tagged("b.jpg", boot=0.8))
    first, second = [[change] for change in shop.stream]
    write, is_begun = shop.files.write, []

    def write_while_another_begins(name: str, source: Path) -> str:
        version = write(name, source)
        if "/images/" in name and not is_begun:
            is_begun.append(name)
            shop.recorder.record(second)
            shop.fold()
            shop.export(kept_snapshots=1)
        return version

    shop.files.write = write_while_another_begins
    shop.recorder.record(first)

    assert shop.found("boot") == [("s3://shop/a.jpg", 0.9), ("s3://shop/b.jpg", 0.8)]


def test_files_that_are_gone_are_never_published(tmp_path: Path) -> None:
    """An exporter that sleeps for days finds its files cleaned up by another."""
    shop = Shop(tmp_path)
    shop.put(tagged("a.jpg", boot=0.9))
    shop.export()
    write = shop.files.write

    def write_and_sleep(name: str, source: Path) -> str:
        version = write(name, source)
        if "/coverage/" in name:
            shop.files.write = write
            shop.now += 2 * RUNNING
            shop.export()
        return version

    shop.files.write = write_and_sleep
    before = shop.now
    with pytest.raises(RetryLater, match="was cleaned up because the export took too long"):
        shop.export(scan_began_at=before + 3 * RUNNING)

    assert shop.found("boot") == [("s3://shop/a.jpg", 0.9)]


def test_changes_wait_where_the_pointer_to_an_export_was_removed(tmp_path: Path) -> None:
    """A snapshot of nothing in its place would hide the catalogue."""
    shop = Shop(tmp_path)
    shop.put(tagged("a.jpg", boot=0.9))
    shop.export()
    shop.export()
    shop.files.delete(["latest.json"])
    shop.put(tagged("b.jpg", boot=0.8))

    with pytest.raises(Exception, match=r"latest\.json was removed; the changes wait for a new export"):
        shop.recorder.record(list(shop.stream))
    shop.export()
    shop.record()
    assert [name for name, _ in shop.found("boot")] == ["s3://shop/a.jpg", "s3://shop/b.jpg"]
