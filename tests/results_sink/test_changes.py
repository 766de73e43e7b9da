"""What the table's stream tells is searched seconds later, each change once and the last one on top."""

from __future__ import annotations

import base64
import json
import random
import resource
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from boto3.dynamodb.types import TypeSerializer

from pipeline.errors import BadExport, PageGone, RetryLater
from pipeline.memory.files import MemoryFiles
from pipeline.records import ClassScore
from pipeline.reject_reasons import RejectReason
from pipeline.stream import Change, changes_of
from pipeline.table_layout import to_item
from pipeline.telemetry import Metric, make_logger
from results_sink.export.changes import delta_stem, make_handler
from results_sink.export.cleanup import RUNNING
from results_sink.export.manifest import LATEST_NAME, SCHEMA_VERSION, SUPERSEDED_NAME, Latest
from results_sink.export.publish import CLOCK_TOLERANCE, is_before_scan
from results_sink.search.newest import state_of
from results_sink.search.search import SearchRequest
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import (
    NOW,
    Breaking,
    gone,
    pinned,
    rejected,
    small_shop,
    tagged,
    undone,
)

QUERIES = (
    "boot",
    "footwear",
    "footwear AND NOT boot",
    "NOT footwear",
    "boot chair",
    "boot OR chair",
    "footwear min:0.8",
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def latest_of(shop: Shop) -> Latest:
    """Return what is published."""
    return Latest.decode(shop.files.read(LATEST_NAME) or b"", LATEST_NAME)


# ---- What is told ----------------------------------------------------------------------------------------------------


def event_of(*changes: tuple[str, dict]) -> dict:
    """Return an event of the stream, with bytes as AWS Lambda tells them: as texts in base64."""

    def told(value: dict) -> dict:
        (kind, inner), *_ = value.items()
        if kind == "B":
            return {"B": base64.b64encode(bytes(inner)).decode()}
        if kind == "L":
            return {"L": [told(each) for each in inner]}
        return {"M": {name: told(each) for name, each in inner.items()}} if kind == "M" else value

    records = []
    for number, (which, item) in enumerate(changes):
        wire = {name: told(TypeSerializer().serialize(value)) for name, value in item.items()}
        at = {"ApproximateCreationDateTime": 1_772_366_400.0 + number, "SequenceNumber": f"{number + 1}00"}
        records.append({"eventName": "MODIFY", "dynamodb": {**at, which: wire}})
    return {"Records": records}


def test_a_poisoned_change_is_counted_and_the_one_behind_it_is_recorded(shop: Shop) -> None:
    shop.export()
    bad, good = to_item(tagged("bad.jpg", boot=0.9), 1) | {"status": "paused"}, to_item(tagged("a.jpg", boot=0.9), 1)
    counted: dict[str, float] = {}
    metrics = SimpleNamespace(
        log_metrics=lambda handler: handler, add_metric=lambda name, unit, value: counted.update({name: value})
    )

    handler = make_handler(shop.recorder, make_logger("changes"), metrics)
    handler(event_of(("NewImage", bad), ("NewImage", good)), SimpleNamespace(function_name="changes"))

    assert counted == {Metric.UNREADABLE: 1, Metric.CHANGED: 1}


def test_an_event_of_the_stream_is_read_with_its_bytes() -> None:
    record = tagged("a.jpg", boot=0.9)
    scored = type(record)(record.observation, record.keywords, (ClassScore(514, 1.0),), 8, 6, revision=1)
    first, second = changes_of(event_of(("NewImage", to_item(scored, 1)), ("OldImage", to_item(gone("b.jpg"), 4))))

    assert first == Change("100", datetime(2026, 3, 1, 12, tzinfo=UTC), scored)
    assert (second.removed, second.is_visible, second.record.revision) == (True, False, 4)
    assert isinstance(to_item(scored, 1)["keywords"][0]["score"], Decimal)


def test_a_batch_that_comes_again_makes_the_same_file_and_is_named_once(shop: Shop) -> None:
    shop.export()
    shop.put(tagged("a.jpg", boot=0.9), tagged("b.jpg", boot=0.8))
    batch = list(shop.stream)
    first, again = shop.recorder.record(batch), shop.recorder.record(batch)

    assert first == again == latest_of(shop).deltas[0]
    assert len(latest_of(shop).deltas) == len(list(shop.files.names("deltas/"))) == 1
    assert first.name == f"{delta_stem(batch)}-id1.parquet"
    assert delta_stem(batch).endswith(f"Z-{'100'.zfill(40)}-00002")


def test_before_the_first_export_changes_lie_upon_nothing(shop: Shop) -> None:
    shop.change(tagged("a.jpg", boot=0.9))

    assert shop.found("boot") == [("s3://shop/a.jpg", 0.9)]
    assert latest_of(shop).snapshot.startswith("19700101T")
    shop.export()
    assert shop.found("boot") == [("s3://shop/a.jpg", 0.9)]
    assert latest_of(shop).snapshot.startswith("2026")


@pytest.mark.parametrize("damage", ["half a pointer", "a later schema"])
def test_what_is_published_is_not_replaced_by_changes_that_cannot_be_laid_over_it(shop: Shop, damage: str) -> None:
    shop.put(tagged("a.jpg", boot=0.9))
    shop.export()
    files = shop.files
    assert isinstance(files, MemoryFiles)
    published = files.files[LATEST_NAME]
    later = json.dumps(json.loads(published) | {"schema_version": SCHEMA_VERSION + 1}).encode()
    files.files[LATEST_NAME] = there = later if damage == "a later schema" else published[:-1]

    with pytest.raises(
        BadExport, match=r"latest\.json is (damaged; the changes wait|of schema version 2; this program)"
    ):
        shop.recorder.record(list(shop.stream))
    assert files.files[LATEST_NAME] == there
    if damage == "a later schema":
        with pytest.raises(BadExport, match="is of schema version 2"):
            shop.export()
        assert files.files[LATEST_NAME] == there
    else:
        shop.export()
        assert shop.found("boot") == [("s3://shop/a.jpg", 0.9)]


def test_a_pointer_that_is_damaged_while_changes_are_written_is_said(shop: Shop) -> None:
    """Else the stream would go on, and nobody would ever read what it told."""
    shop.export()
    shop.put(tagged("a.jpg", boot=0.9))
    write = shop.files.write

    def write_and_damage(name: str, source: Path) -> None:
        write(name, source)
        shop.files.files[LATEST_NAME] = b"half"

    shop.files.write = write_and_damage

    with pytest.raises(BadExport, match=r"latest\.json is damaged"):
        shop.record()


# ---- What is found ---------------------------------------------------------------------------------------------------


def test_what_was_put_changed_or_taken_away_is_found_as_it_is_now(shop: Shop) -> None:
    shop.put(*small_shop())
    shop.stream.clear()
    shop.export()
    shop.change(tagged("new.jpg", boot=0.99), tagged("boot/1.jpg", "boot", chair=0.5))
    shop.change(gone("boot/2.jpg"), tagged("new.jpg", boot=0.6))

    assert shop.found("boot") == [("s3://shop/new.jpg", 0.6), ("s3://shop/both.jpg", 0.55)]
    assert shop.found("chair")[-1] == ("s3://shop/boot/1.jpg", 0.5)
    assert shop.searcher().changes == 3


def happen(shop: Shop, chance: random.Random, events: int, *, scanning: bool = False) -> None:
    """Let so many things happen, whatever they are; while the table is scanned all but another export."""
    for _ in range(events):
        key = f"{chance.randrange(12)}.jpg"
        boot, chair, sneaker = (round(chance.random(), 3) for _ in range(3))
        some = [tagged(key, f"p{chance.randrange(4)}", boot=boot, chair=chair), tagged(key, sneaker=sneaker)]
        shop.put(
            chance.choice(
                [*some, *some, gone(key), rejected(key, RejectReason.BYTES), undone(key), pinned(key, "boot")]
            )
        )
        match chance.randrange(12):
            case 0 if not scanning:
                export_meanwhile(shop, chance)
            case 1 | 6:
                shop.fold(most_rows=chance.choice([1, 4, 1_000]))
            case 2 | 3 | 4 if shop.stream:
                shop.record(most=chance.randrange(1, 6))
            case 5:
                shop.now += 2 * CLOCK_TOLERANCE


def export_meanwhile(shop: Shop, chance: random.Random) -> None:
    """Export, and let things happen while the table is scanned, of which the scan sees nothing."""
    shop.after_scan(lambda: happen(shop, chance, chance.randrange(16), scanning=True))
    shop.export()


@pytest.mark.parametrize("seed", range(20))
def test_a_snapshot_with_its_deltas_answers_as_an_export_of_the_table_would(tmp_path: Path, seed: int) -> None:
    """Whatever happens in whatever order: exports, changes in batches of any size, late ones too, folds."""
    chance = random.Random(seed)
    shop = Shop(tmp_path / "followed")
    shop.put(*chance.sample(small_shop(), chance.randrange(12)))
    happen(shop, chance, chance.randrange(5, 30))
    export_meanwhile(shop, chance)
    while shop.stream:
        shop.record(most=chance.randrange(1, 9))
    plain = Shop(tmp_path / "plain", table=shop.table)
    plain.export()

    for query in QUERIES:
        for per_product in (False, True):
            asked = SearchRequest(query, 1000, per_product=per_product)
            followed, exported = shop.searcher().answer(asked), plain.searcher().answer(asked)
            assert _sorted(followed.results) == _sorted(exported.results)
            assert sorted(followed.facets, key=str) == sorted(exported.facets, key=str)
            assert followed.total == exported.total


def _sorted(results: tuple) -> list:
    """Of images of one product and one score, either may stand for it."""
    return sorted((-each.score, each.product) for each in results)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_a_stream_that_lags_lays_nothing_older_over_a_newer_snapshot(shop: Shop, most: int) -> None:
    """A batch may reach from before the scan to after it."""
    shop.put(*(tagged("a.jpg", boot=score) for score in (0.1, 0.2, 0.9)), tagged("b.jpg", boot=0.5), gone("b.jpg"))
    shop.now += CLOCK_TOLERANCE
    shop.export()
    shop.put(tagged("new.jpg", boot=0.7))
    found = [shop.found("boot")]
    while shop.stream:
        shop.record(most)
        found.append(shop.found("boot"))

    assert found[:-1] == [[("s3://shop/a.jpg", 0.9)]] * len(found[:-1])
    assert found[-1] == [("s3://shop/a.jpg", 0.9), ("s3://shop/new.jpg", 0.7)]
    assert [delta.rows for delta in latest_of(shop).deltas] == [1]


def test_a_deletion_that_looks_like_an_earlier_one_is_named_too(shop: Shop) -> None:
    """The same image is removed twice at the same revision: the same bytes, and another change."""
    shop.export()
    photo = tagged("a.jpg", boot=0.9)
    for change in (shop.put, shop.remove, shop.put, shop.remove):
        change(photo)
        shop.record()

    assert shop.found("boot") == []
    assert len(latest_of(shop).deltas) == 4


def test_a_delta_whose_changes_an_export_saw_that_ended_meanwhile_is_not_named(shop: Shop) -> None:
    shop.export()
    shop.put(tagged("a.jpg", boot=0.1), tagged("a.jpg", boot=0.9))
    shop.now += CLOCK_TOLERANCE
    shop.stream.pop()  # the second change is told later
    write = shop.files.write

    def write_after_an_export(name: str, source: Path) -> None:
        shop.files.write = write
        write(name, source)
        shop.export()

    shop.files.write = write_after_an_export
    shop.record()

    assert shop.found("boot") == [("s3://shop/a.jpg", 0.9)]
    assert latest_of(shop).deltas == ()


# ---- What comes at the same time -------------------------------------------------------------------------------------


def test_a_delta_that_an_export_may_not_have_seen_stays_over_it(shop: Shop) -> None:
    shop.export()
    seen = shop.change(tagged("old.jpg", boot=0.5))
    shop.now += CLOCK_TOLERANCE
    shop.after_scan(lambda: shop.change(tagged("meanwhile.jpg", boot=0.9)))
    shop.export()

    assert shop.found("boot") == [("s3://shop/meanwhile.jpg", 0.9), ("s3://shop/old.jpg", 0.5)]
    assert seen.name not in [delta.name for delta in latest_of(shop).deltas]
    assert len(latest_of(shop).deltas) == 1


def test_a_delta_that_comes_while_others_are_folded_stays(shop: Shop) -> None:
    shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    folding = shop.folding()

    write_if, done = shop.files.write_if, []

    def write_if_after_another(name: str, data: bytes, seen: str | None) -> bool:
        if name == LATEST_NAME and not done:
            done.append(name)
            shop.change(tagged("b.jpg", boot=0.9))
        return write_if(name, data, seen)

    shop.files.write_if = write_if_after_another
    folding.fold()

    assert latest_of(shop).previous
    assert len(latest_of(shop).deltas) == 1
    assert shop.found("boot") == [("s3://shop/b.jpg", 0.9), ("s3://shop/a.jpg", 0.5)]


def test_a_fold_that_an_export_overtakes_changes_nothing(shop: Shop) -> None:
    shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    read, done = shop.files.read, []

    def read_after_an_export(name: str) -> bytes | None:
        if name.endswith("manifest.json") and not done:
            data = read(name)
            done.append(name)
            shop.export()
            return data
        return read(name)

    shop.files.read = read_after_an_export
    shop.fold()

    assert shop.found("boot") == [("s3://shop/a.jpg", 0.5)]


def test_an_export_that_began_before_a_fold_ends_after_it_and_is_published(shop: Shop) -> None:
    """A fold is as old as what it folds: it is in no export's way."""
    shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    shop.after_scan(shop.fold)
    manifest = shop.export()

    assert latest_of(shop).snapshot == manifest.snapshot
    assert shop.found("boot") == [("s3://shop/a.jpg", 0.5)]


@pytest.mark.parametrize("first", ["the change", "the fold"])
@pytest.mark.parametrize("folds", [1, 5])
def test_a_change_that_is_folded_while_an_export_scans_is_in_no_snapshot_lost(
    shop: Shop, first: str, folds: int
) -> None:
    """With five folds the first ones are removed before the scan ends."""
    shop.export()
    shop.change(tagged("old.jpg", boot=0.5))

    def write_and_fold() -> None:
        for number in range(folds):
            if first == "the fold":
                shop.fold()
            shop.change(tagged(f"meanwhile-{number}.jpg", boot=0.9))
            if first == "the change":
                shop.fold()

    shop.after_scan(write_and_fold)
    manifest = shop.export()

    wanted = [(f"s3://shop/meanwhile-{number}.jpg", 0.9) for number in range(folds)]
    assert latest_of(shop).snapshot == manifest.snapshot
    assert shop.found("boot") == [*wanted, ("s3://shop/old.jpg", 0.5)]
    shop.fold()
    assert shop.found("boot") == [*wanted, ("s3://shop/old.jpg", 0.5)]


def test_a_change_that_lies_over_another_export_and_is_folded_there_is_not_lost(shop: Shop) -> None:
    """Of two exports at once the one that began first ends first, and its deltas are folded before the other ends."""
    shop.export()
    early = replace(shop.exporter(), scan_began_at=shop.tick())

    def end_the_early_one_and_fold() -> None:
        early.export()
        shop.change(tagged("meanwhile.jpg", boot=0.9))
        shop.fold()

    shop.after_scan(end_the_early_one_and_fold)
    shop.export()

    assert shop.found("boot") == [("s3://shop/meanwhile.jpg", 0.9)]


def test_an_export_that_cannot_know_what_was_folded_meanwhile_is_not_published(shop: Shop) -> None:
    first = shop.export()

    def fold_and_forget() -> None:
        shop.change(tagged("meanwhile.jpg", boot=0.9))
        shop.fold()
        shop.files.delete([f"snapshots/{first.snapshot}/{SUPERSEDED_NAME}"])

    shop.after_scan(fold_and_forget)
    with pytest.raises(
        RetryLater, match="what was published while the table was scanned is no longer known; export aga"
    ):
        shop.export()
    assert shop.found("boot") == [("s3://shop/meanwhile.jpg", 0.9)]


def test_an_export_whose_answer_was_lost_is_published_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write of the pointer was carried out; its repetition is refused, since the file is another one by now."""
    first = shop.export()
    write_if, lost = shop.files.write_if, []

    def write_and_lose_the_answer(name: str, data: bytes, seen: str | None) -> bool:
        is_written = write_if(name, data, seen)
        if name == LATEST_NAME and not lost:
            lost.append(name)
            return False
        return is_written

    monkeypatch.setattr(shop.files, "write_if", write_and_lose_the_answer)
    second = shop.export()

    latest = latest_of(shop)
    assert lost
    assert (latest.snapshot, latest.previous) == (second.snapshot, first.snapshot)


def test_an_export_during_which_the_pointer_was_lost_is_not_published(shop: Shop) -> None:
    shop.export()
    shop.after_scan(lambda: shop.files.delete([LATEST_NAME]))

    with pytest.raises(RetryLater, match=r"latest\.json was damaged or removed while the table was scanned"):
        shop.export()


# ---- Folding ---------------------------------------------------------------------------------------------------------


def test_a_fold_finds_what_was_found_before_and_may_be_run_twice(shop: Shop) -> None:
    shop.put(*small_shop())
    shop.export()
    shop.change(tagged("new.jpg", boot=0.99), gone("both.jpg"), rejected("chair.jpg"))
    before = shop.found("boot OR chair")
    first, second = shop.fold(), shop.fold()

    assert first is not None
    assert second is None
    assert latest_of(shop).deltas == ()
    assert shop.found("boot OR chair") == before
    assert first.scan_began_at < shop.now - timedelta(seconds=3)


def test_a_fold_says_of_itself_what_an_export_would(shop: Shop) -> None:
    shop.put(*small_shop())
    shop.export()
    shop.change(
        tagged("new.jpg", boot=0.99), gone("both.jpg"), rejected("chair.jpg"), pinned("sneaker.jpg", "crane-toy")
    )
    folded, exported = shop.fold(), shop.export()

    assert folded is not None
    for said in ("model_versions", "taxonomy_versions", "vocabulary_version", "images_columns", "postings_columns"):
        assert getattr(folded, said) == getattr(exported, said)
    assert (folded.counts.tagged, folded.counts.rejected) == (exported.counts.tagged, exported.counts.rejected)
    for files in ("images", "postings", "coverage"):
        assert [each.sha256 for each in getattr(folded, files)] == [each.sha256 for each in getattr(exported, files)]


@pytest.mark.parametrize("calls", range(9))
def test_a_fold_that_is_stopped_anywhere_leaves_what_was_there_and_can_be_run_again(tmp_path: Path, calls: int) -> None:
    files = Breaking(calls_left=1_000)
    shop = Shop(tmp_path, files)
    shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    files.calls_left = calls
    try:
        shop.fold()
    except RetryLater:
        files.calls_left = 1_000
        assert shop.found("boot") == [("s3://shop/a.jpg", 0.5)]
    files.calls_left = 1_000
    shop.fold()

    assert latest_of(shop).deltas == ()
    assert shop.found("boot") == [("s3://shop/a.jpg", 0.5)]


@pytest.mark.parametrize("calls", range(3))
def test_a_recorder_that_is_stopped_anywhere_names_nothing_or_all(tmp_path: Path, calls: int) -> None:
    files = Breaking(calls_left=1_000)
    shop = Shop(tmp_path, files)
    shop.export()
    shop.put(tagged("a.jpg", boot=0.5), tagged("b.jpg", boot=0.5))
    batch = list(shop.stream)
    files.calls_left = calls
    try:
        shop.recorder.record(batch)
    except RetryLater:
        assert shop.found("boot") == []
    files.calls_left = 1_000
    shop.recorder.record(batch)

    assert len(shop.found("boot")) == 2


def test_of_many_changes_the_first_are_folded_and_the_others_stay_over_them(shop: Shop) -> None:
    shop.export()
    for number in range(6):
        shop.change(
            tagged("a.jpg", boot=0.1 + number / 10), tagged(f"{number}.jpg", chair=0.5), gone(f"{number - 1}.jpg")
        )
    wanted = shop.found("boot OR chair")
    left = [len(latest_of(shop).deltas)]
    for _ in range(4):
        shop.fold(most_rows=7)
        left.append(len(latest_of(shop).deltas))
        assert shop.found("boot OR chair") == wanted

    assert left == [6, 4, 2, 0, 0]
    shop.change(tagged("a.jpg", boot=0.1), tagged("b.jpg", boot=0.1))
    shop.fold(most_rows=1)
    assert latest_of(shop).deltas == ()


def many_deltas(shop: Shop, count: int) -> None:
    """Export nothing, and lay so many deltas over it."""
    shop.export()
    for number in range(count):
        shop.change(tagged(f"{number}.jpg", boot=0.5))


def test_a_reader_of_more_than_a_hundred_deltas_fetches_each_once(tmp_path: Path) -> None:
    """Another process finds them where the one before left them."""

    class Counting(MemoryFiles):
        reads = 0

        def read(self, name: str) -> bytes | None:
            self.reads += 1
            return super().read(name)

    files = Counting()
    shop = Shop(tmp_path, files)
    many_deltas(shop, 120)
    reads = []
    for _ in range(3):
        files.reads = 0
        assert shop.searcher().search("boot").total == 120
        reads.append(files.reads)

    assert reads == [123, 2, 2]  # latest.json and the manifest are read each time


def test_a_fold_opens_few_files_at_once_however_many_deltas_there_are(shop: Shop) -> None:
    many_deltas(shop, 90)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files + 30, before[1]))
    try:
        shop.fold()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert latest_of(shop).deltas == ()
    assert len(shop.found("boot")) == 90


def test_few_deltas_are_not_worth_a_fold(shop: Shop) -> None:
    shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    folding = shop.folding()

    assert type(folding)(folding.exporter, folding.copies).fold() is None


# ---- What is removed -------------------------------------------------------------------------------------------------


def test_deltas_go_with_the_last_snapshot_that_needs_them_when_no_export_that_runs_may(shop: Shop) -> None:
    first = shop.export().snapshot
    delta = shop.change(tagged("a.jpg", boot=0.5))
    shop.now += CLOCK_TOLERANCE

    def left() -> tuple[int, bool]:
        shop.export()
        return len(list(shop.files.names(f"snapshots/{first}/"))), delta.name in shop.files.names("deltas/")

    assert [left() for _ in range(4)] == [(6, True), (6, True), (1, True), (1, True)]
    shop.now += RUNNING
    assert left() == (0, False)


def test_a_delta_that_was_never_named_is_removed_when_its_batch_can_come_no_more(shop: Shop) -> None:
    shop.files.files["deltas/20260301T120001.000000Z-1-1.parquet"] = b"half a batch"
    shop.export()
    there = list(shop.files.names("deltas/"))
    shop.now += RUNNING
    shop.export()

    assert len(there) == 1
    assert list(shop.files.names("deltas/")) == []


# ---- Pages of a state that is no longer the newest -------------------------------------------------------------------


def test_a_page_is_read_from_the_state_it_was_begun_on_by_a_process_that_never_saw_it(shop: Shop) -> None:
    shop.put(*small_shop())
    shop.export()
    shop.change(tagged("new.jpg", boot=0.99))
    begun = state_of(latest_of(shop))
    wanted = shop.searcher().search("boot")
    shop.change(gone("new.jpg"), gone("both.jpg"))
    after_a_delta = shop.newest().searcher_of(begun).search("boot")
    shop.fold()
    after_a_fold = shop.newest().searcher_of(begun).search("boot")

    assert after_a_delta == after_a_fold == wanted
    assert shop.searcher().search("boot").total == wanted.total - 2


def test_a_state_that_was_removed_is_gone(shop: Shop) -> None:
    shop.export()
    begun = state_of(latest_of(shop))
    for _ in range(4):
        shop.put(tagged("a.jpg", boot=0.5))
        shop.export()

    with pytest.raises(PageGone, match="is gone; search again without a cursor"):
        shop.newest().searcher_of(begun)


@pytest.mark.parametrize(("earlier", "is_seen"), [(-1, False), (0, False), (1, True)])
def test_a_scan_has_certainly_seen_what_changed_over_a_minute_before_it(earlier: int, is_seen: bool) -> None:
    changed_at = NOW - CLOCK_TOLERANCE - timedelta(microseconds=earlier)

    assert is_before_scan(changed_at, NOW) is is_seen


def test_a_snapshot_that_was_replaced_keeps_what_lay_over_it(shop: Shop) -> None:
    first = shop.export()
    shop.change(tagged("a.jpg", boot=0.5))
    pointer = shop.files.read(LATEST_NAME)
    shop.export()

    assert shop.files.read(f"snapshots/{first.snapshot}/{SUPERSEDED_NAME}") == pointer


def test_a_delta_that_is_damaged_is_never_read(shop: Shop) -> None:
    shop.export()
    shop.put(tagged("a.jpg", boot=0.5))
    name = shop.record().name
    files = shop.files
    assert isinstance(files, MemoryFiles)
    files.files[name] = files.files[name][:-1]

    with pytest.raises(BadExport, match=r"is damaged: it has [\d,]+ bytes; latest.json says"):
        shop.searcher()
