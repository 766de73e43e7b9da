"""An export in segments writes what an export by one process writes, whoever fails, repeats or begins meanwhile."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadExport, RetryLater
from pipeline.folder import FolderFiles
from pipeline.memory.files import MemoryFiles
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem
from results_sink.connect import ExportPlace
from results_sink.export.cleanup import RUNNING, remove_unneeded
from results_sink.export.exported_records import ExportedRecords
from results_sink.export.manifest import LATEST_NAME, Latest
from results_sink.export.postings_layout import Sizes
from results_sink.export.segments import SegmentedExport
from results_sink.export.step_files import Stage, Step, step_folder
from results_sink.export.verify import ExportVerifier
from results_sink.search.snapshot import Downloaded, InPlace
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import gone, pinned, rejected, small_shop, small_vocabulary, tagged, undone
from tests.results_sink.test_export import rows_of
from tests.results_sink.test_readers import Killable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.records import Record
    from results_sink.export.manifest import Manifest
    from results_sink.export.publish import Exported

SMALL = Sizes(
    batch_records=7,
    run_rows=10,
    merged_rows=3,
    merged_batches=2,
    row_group_rows=4,
    images_part_rows=16,
    postings_part_rows=16,
)
WORLDS = 2  # of some seconds each; twelve, of two exports each, were run by hand


def segmented(shop: Shop, segments: int = 3, **parts: object) -> SegmentedExport:
    """Return what exports the shop's table in segments."""
    return SegmentedExport(shop.exporter(sizes=SMALL, **parts), shop.table, segments)


def run_all(export: SegmentedExport, stages: Sequence[Sequence[Step]]) -> Exported:
    """Do all steps, those of a stage in the opposite order, and return what was published."""
    return [export.run(step) for stage in stages for step in reversed(stage)][-1]


def shop_of(folder: Path, records: Sequence[Record], files: FolderFiles | MemoryFiles | None = None) -> Shop:
    """Return a shop with these records."""
    shop = Shop(folder / "work", files or MemoryFiles())
    shop.put(*records)
    shop.stream.clear()
    return shop


photos = st.builds(
    tagged,
    st.text("abc/", min_size=1, max_size=4).map("{}.jpg".format),
    boot=st.sampled_from([0.2, 0.5, 0.9]),
    **{name: st.sampled_from([0.5, 0.7]) for name in ("chair", "made_up")},
)
records = st.lists(
    st.one_of(
        photos,
        st.builds(rejected, st.sampled_from(["x.jpg", "a/y.jpg"]), st.sampled_from(list(RejectReason))),
        st.builds(gone, st.just("gone.jpg")),
        st.builds(undone, st.just("undone.jpg")),
        st.builds(pinned, st.just("b/pinned.jpg"), st.just("basket")),
    ),
    max_size=60,
)


@settings(max_examples=10, deadline=None)
@given(records, st.integers(1, 9))
def test_it_writes_the_rows_that_one_process_writes(
    tmp_path_factory: pytest.TempPathFactory, shown: list[Record], segments: int
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    whole, divided = (FolderFiles(folder / name) for name in ("whole", "divided"))
    shop = shop_of(folder, shown, whole)
    shop.table.damage(tagged("zz.jpg").observation.image)
    one = shop.export(sizes=SMALL)
    shop.files = divided
    export = segmented(shop, segments)
    exported = run_all(export, export.plan())

    many = exported.manifest
    assert exported.is_published
    assert many.counts == one.counts
    assert (many.model_versions, many.taxonomy_versions) == (one.model_versions, one.taxonomy_versions)
    for kind in ("images", "postings", "coverage", "keywords"):
        assert rows_of(divided, many, kind) == rows_of(whole, one, kind)
    assert not list(ExportVerifier(ExportPlace("divided", divided, InPlace(divided)), is_deep=True).damages())
    assert {name.split("/", 2)[2] for name in divided.names("snapshots/")} == {
        "manifest.json",
        *(part.name for part in many.files),
    } | _empty_parts(divided, many)


def _empty_parts(files: FolderFiles, manifest: Manifest) -> set[str]:
    """Return the files of ranges without rows, which the manifest does not name."""
    folder = f"snapshots/{manifest.snapshot}/"
    inside = {name.removeprefix(folder) for name in files.names(folder)}
    return {name for name in inside if name.startswith(("images/", "postings/"))} - {p.name for p in manifest.files}


def test_a_row_group_holds_a_small_keyword_whole_and_begins_with_a_large_one(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, [tagged(f"{n:02d}.jpg", boot=0.9, **({"chair": 0.5} if n < 3 else {})) for n in range(20)])
    export = segmented(shop)

    manifest = run_all(export, export.plan()).manifest

    groups = [(part.keywords, part.row_groups) for part in manifest.postings]
    assert sum(rows.rows for keywords, _ in groups for rows in keywords) == 23
    assert [keyword.keyword_id for keywords, _ in groups for keyword in keywords][-1] == "chair"
    assert groups[-1][1][-1] == 3


# ---- What fails ------------------------------------------------------------------------------------------------------


def test_a_step_that_is_done_reads_and_writes_nothing_when_it_is_repeated(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    export = segmented(shop)
    stages = export.plan()
    for step in stages[0]:
        export.run(step)
    written = dict(shop.files.files)
    shop.table.scan = lambda *_: pytest.fail("the table was read again")

    for step in stages[0]:
        export.run(step)

    assert shop.files.files == written


def test_of_two_attempts_at_a_step_the_first_to_end_counts_as_a_whole(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    export = segmented(shop)
    stages = export.plan()
    write, others = shop.files.write_if, []

    def write_after_another(name: str, data: bytes, seen: str | None) -> bool:
        if "scan-" in name and name not in others:
            others.append(name)
            shop.put(tagged("late.jpg", boot=0.9))  # the other attempt finds more than this one
            export.run(Step(stages[0][0].snapshot, Stage.SCAN, int(name[-10:-5])))
        return write(name, data, seen)

    shop.files.write_if = write_after_another
    run_all(export, stages)
    shop.record()

    assert len(others) == 3
    assert ("s3://shop/late.jpg", 0.9) in shop.found("boot")


def test_a_step_says_which_step_before_it_is_not_done(tmp_path: Path) -> None:
    export = segmented(shop_of(tmp_path, small_shop()))
    scan, images, postings, publish = export.plan()
    export.run(scan[0])

    for step in (images[0], postings[1], publish[0]):
        with pytest.raises(RetryLater, match=r"^step 1 of scan of the export \S+ is not done$"):
            export.run(step)


def test_the_last_step_is_repeated_where_its_answer_was_lost(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    export = segmented(shop)
    *stages, [publish] = export.plan()
    first = run_all(export, [*stages, [publish]])

    assert export.run(publish) == first
    shop.export()
    with pytest.raises(RetryLater, match="was published or cleaned up; export again"):
        export.run(publish)


def test_words_that_change_between_steps_end_the_export(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    [first, *_], *_ = segmented(shop).plan()
    deployed_anew = SegmentedExport(replace(shop.exporter(), vocabulary=small_vocabulary("words-2")), shop.table, 3)

    with pytest.raises(RetryLater, match=r"the words have changed since the export \S+ began; export again"):
        deployed_anew.run(first)


def test_rows_that_are_lost_between_steps_are_noticed(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    export = segmented(shop)
    *stages, publish = export.plan()
    run_all(export, stages)
    name = stages[1][0].report_name
    shop.files.files[name] = shop.files.files[name].replace(b'"rows": ', b'"rows": 1')

    with pytest.raises(BadExport, match="lost rows between its steps; export again"):
        run_all(export, [publish])
    assert LATEST_NAME not in shop.files.files


def test_what_an_abandoned_export_left_is_removed_after_a_day(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    shop.export()
    export = segmented(shop)
    scan, images, *_ = export.plan()
    run_all(export, [scan, images[:1]])
    folder = step_folder(scan[0].snapshot)
    assert len(list(shop.files.names(folder))) > 6

    shop.now += RUNNING - timedelta(minutes=5)
    remove_unneeded(shop.files, 1)
    assert list(shop.files.names(folder))
    shop.now += timedelta(minutes=10)
    remove_unneeded(shop.files, 1)

    assert not [name for name in shop.files.names() if scan[0].snapshot in name]
    with pytest.raises(RetryLater, match="was published or cleaned up; export again"):
        export.run(images[1])


# ---- What comes at the same time -------------------------------------------------------------------------------------


class BusyDay:
    """A shop that changes while exports in segments are planned, killed, repeated and overtaken."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.shop = Shop(folder, MemoryFiles())
        self.export = segmented(self.shop, 3, kept_snapshots=1)
        self.others = Killable(self.shop.files, seed)
        self.killed = segmented(self.shop, 3, files=self.others)
        self.change()
        self.shop.export()

    def change(self) -> None:
        """Write some photos, remove one, and record some of the changes."""
        for _ in range(self.chance.randrange(4)):
            photo = tagged(f"{self.chance.randrange(30)}.jpg", boot=self.chance.random())
            self.shop.put(photo)
        if self.shop.table.records and self.chance.random() < 0.3:
            self.shop.remove(self.chance.choice(list(self.shop.table.records.values())))
        if self.chance.random() < 0.5:
            self.shop.record(self.chance.randrange(1, 9))
        self.shop.now += timedelta(seconds=self.chance.choice((1, 30, 90)))

    def meanwhile(self) -> None:
        """Let others work: changes, and now and then a fold or another export."""
        self.change()
        others: tuple[Callable[[], object], ...] = (self.shop.fold, self.shop.export)
        if self.chance.random() < 0.1:
            self.chance.choice(others)()

    def run_export(self) -> None:
        """Export in segments, its steps killed and repeated, in any order within a stage."""
        for stage in self.export.plan():
            waiting = list(stage)
            while waiting:
                step = self.chance.choice(waiting)
                self.meanwhile()
                try:
                    self.killed.run(step)
                except RetryLater as error:
                    if "export again" in str(error):
                        return  # overtaken by so many that it was cleaned up; the one in its place stays
                    continue
                waiting.remove(step)

    def shown(self) -> dict[str, list[float]]:
        """Return what a reader of the export sees at the end."""
        while self.shop.stream:
            self.shop.record()
        copies = Downloaded(self.shop.files, "the export", self.shop.work / "copies")
        exported = ExportedRecords(ExportPlace("the export", self.shop.files, copies)).scan()
        return {str(record.observation.image): [tag.score for tag in record.keywords] for record in exported}


@pytest.mark.slow  # ten seconds of processor time
def test_search_ends_as_the_table_is_whoever_fails_or_comes_between(tmp_path: Path) -> None:
    kills = 0
    for seed in range(WORLDS):
        day = BusyDay(seed, tmp_path / str(seed))
        day.run_export()

        shown = day.shown()
        records = day.shop.table.records
        assert shown == {str(image): [tag.score for tag in kept.keywords] for image, kept in records.items()}, seed
        kills += day.others.kills
    assert kills > WORLDS


def test_a_change_after_its_segment_was_read_stays_over_the_snapshot(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    shop.export()
    export = segmented(shop)
    [first, *others], *stages = export.plan()
    export.run(first)
    late = [tagged(f"late/{number}.jpg", boot=0.9) for number in range(20)]
    shop.put(*late)  # some into the segment that was read
    shop.record()
    shop.now += timedelta(minutes=5)

    run_all(export, [others, *stages])

    assert {str(photo.observation.image) for photo in late} <= {image for image, _ in shop.found("boot")}


def test_an_export_that_a_later_one_overtook_is_not_published_and_leaves_no_steps(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    export = segmented(shop)
    *stages, publish = export.plan()
    run_all(export, stages)
    later = shop.export()

    exported = run_all(export, [publish])

    assert not exported.is_published
    assert Latest.decode(shop.files.files[LATEST_NAME], LATEST_NAME).snapshot == later.snapshot
    assert not [name for name in shop.files.files if "/steps/" in name]


def test_an_item_that_cannot_be_read_is_counted_in_its_segment(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, small_shop())
    shop.table.unreadable[tagged("q.jpg").observation.image] = UnreadableItem("s3://shop/q.jpg", "it has no revision")
    export = segmented(shop)

    assert run_all(export, export.plan()).manifest.counts.unreadable == 1
