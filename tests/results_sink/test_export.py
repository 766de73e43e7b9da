"""A snapshot: what is in it, in which order it appears, and that nobody ever sees half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadSettings, CallerError, RetryLater
from pipeline.folder import FolderFiles
from pipeline.memory.files import MemoryFiles
from pipeline.memory.table import MemoryTable
from pipeline.standard_ids import Standard, StandardIds
from pipeline.unreadable import UnreadableItem
from results_sink.export.manifest import LATEST_NAME, Latest, Manifest
from results_sink.export.postings_layout import Sizes
from tests.results_sink.small_shop import (
    LOOKED_AT,
    NOW,
    Breaking,
    Diary,
    exported,
    searcher_of,
    small_shop,
    small_vocabulary,
    table_of,
    tagged,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.records import Record

SMALL = Sizes(
    batch_records=20,
    run_rows=50,
    merged_rows=5,
    merged_batches=2,
    row_group_rows=16,
    images_part_rows=100,
    postings_part_rows=100,
)


@pytest.fixture
def folder(tmp_path: Path) -> FolderFiles:
    """An empty folder for an export."""
    return FolderFiles(tmp_path / "export")


def snapshot_folder(files: FolderFiles, manifest: Manifest) -> Path:
    """Return where the snapshot's files lie."""
    return files.root / "snapshots" / manifest.snapshot


def rows_of(files: FolderFiles, manifest: Manifest, kind: str) -> list[dict[str, object]]:
    """Return all rows of ``images``, ``postings``, ``coverage`` or ``keywords``, as pyarrow reads them."""
    names = [part.name for part in getattr(manifest, kind)]
    tables = [pq.read_table(snapshot_folder(files, manifest) / name, partitioning=None) for name in names]
    rows: list[dict[str, object]] = pa.concat_tables(tables).to_pylist()
    return rows


def test_images_has_a_row_for_each_tagged_or_rejected_image_sorted_by_name(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    names = [str(row["image"]) for row in rows_of(folder, manifest, "images")]
    assert names == sorted(names)
    assert len(names) == manifest.counts.rows == 10
    assert (manifest.counts.tagged, manifest.counts.gone, manifest.counts.undone) == (8, 1, 1)
    assert manifest.counts.rejected == {"bytes": 1, "corrupt": 1}


def test_a_row_says_all_that_is_known_of_an_image(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path, [tagged("a b.jpg", "p1", chair=0.8125)])

    [row] = rows_of(folder, manifest, "images")
    assert row == {
        "image": "s3://shop/a b.jpg",
        "product": "p1",
        "title": None,
        "brand": None,
        "price": None,
        "url": None,
        "tags": None,
        "status": "tagged",
        "reason": None,
        "detail": None,
        "low_information": False,
        "width_pixels": 800,
        "height_pixels": 600,
        "model_version": "model-1",
        "taxonomy_version": "words-1",
        "run_id": "run-1",
        "observed_at": LOOKED_AT,
        "object_time": LOOKED_AT - timedelta(days=1),
        "etag": '"abc"',
        "colours": [],
        "vector": None,
        "vector_space": None,
        "facts": None,
        "revision": 1,
        "backup": b'{"class_scores":{"base64":""}}',
        "keywords": [
            {
                "keyword_id": "chair",
                "score": 0.8125,
                "source": "model",
                "words": {"en": "chair", "de": "Stuhl", "fr": "chaise", "es": "silla"},
                "synonyms": {"en": [], "de": [], "fr": [], "es": []},
            }
        ],
    }


def test_a_rejected_image_has_its_reason_and_no_keywords(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    by_image = {row["image"]: row for row in rows_of(folder, manifest, "images")}
    row = by_image["s3://shop/huge.jpg"]
    assert (row["status"], row["reason"], row["detail"]) == ("rejected", "bytes", "it ends too early")
    assert (row["keywords"], row["width_pixels"], row["low_information"], row["etag"]) == ([], None, None, None)


def test_postings_are_sorted_by_keyword_then_score_then_image(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    rows = rows_of(folder, manifest, "postings")
    keys = [(str(row["keyword_id"]), -float(str(row["score"])), str(row["image"])) for row in rows]
    assert keys == sorted(keys)
    expected = [
        (tag.keyword_id, -tag.score, str(record.observation.image))
        for record in small_shop()
        for tag in getattr(record, "keywords", ())
    ]
    assert keys == sorted(expected)


def test_a_posting_carries_its_words_and_the_images_other_keywords(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    images = [row["image"] for row in rows_of(folder, manifest, "images")]
    rows = rows_of(folder, manifest, "postings")
    assert all(images[int(str(row["image_row"]))] == row["image"] for row in rows)
    row = next(row for row in rows if row["keyword_id"] == "sneaker")
    assert row["words"] == {"en": "sneaker", "de": "Turnschuh", "fr": "basket", "es": None}
    assert row["synonyms"] == {"en": ["trainer"], "de": [], "fr": ["tennis"], "es": []}
    assert row["product"] == "sneaker"
    assert row["keywords"] == [
        {"keyword_id": "sneaker", "score": 0.97, "source": "model"},
        {"keyword_id": "sports", "score": 0.97, "source": "model"},
        {"keyword_id": "footwear", "score": 0.99, "source": "model"},
    ]
    assert next(row for row in rows if row["keyword_id"] == "crane-toy")["source"] == "human"


def test_a_keyword_the_vocabulary_lacks_keeps_its_id_and_score(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path, [tagged("a.jpg", old=0.5)])

    [row] = rows_of(folder, manifest, "postings")
    assert (row["keyword_id"], row["score"]) == ("old", 0.5)
    assert row["words"] == {"en": None, "de": None, "fr": None, "es": None}


def test_coverage_says_how_many_images_of_each_folder_have_a_keyword(folder: FolderFiles, tmp_path: Path) -> None:
    """Of the eight in the shop's own folder one was looked at in vain, and two were rejected."""
    manifest = exported(folder, tmp_path)

    assert rows_of(folder, manifest, "coverage") == [
        {
            "folder": "s3://shop/",
            "images": 8,
            "with_keyword": 5,
            "without_keyword": 3,
            "share_with_keyword": 0.625,
            "share_without_keyword": 0.375,
        },
        {
            "folder": "s3://shop/boot/",
            "images": 2,
            "with_keyword": 2,
            "without_keyword": 0,
            "share_with_keyword": 1.0,
            "share_without_keyword": 0.0,
        },
    ]


def test_coverage_counts_what_images_shows(folder: FolderFiles, tmp_path: Path) -> None:
    place = snapshot_folder(folder, exported(folder, tmp_path))

    counted = duckdb.sql(f"select sum(images), sum(with_keyword) / sum(images) from '{place}/coverage/*.parquet'")
    shown = duckdb.sql(f"select count(*), avg((len(keywords) > 0)::int) from '{place}/images/*.parquet'")
    assert counted.fetchall() == shown.fetchall() == [(10, 0.7)]


@pytest.mark.parametrize("kind", ["coverage", "keywords"])
def test_a_manifest_of_before_there_were_such_files_is_read(folder: FolderFiles, tmp_path: Path, kind: str) -> None:
    manifest = exported(folder, tmp_path)
    document = json.loads(manifest.encode())
    del document[kind], document[f"{kind}_columns"]

    read = Manifest.decode(json.dumps(document).encode(), "manifest.json")

    assert read == replace(manifest, **{kind: (), f"{kind}_columns": ()})


def test_keywords_have_their_ids_in_the_taxonomies_of_google_and_shopify(folder: FolderFiles, tmp_path: Path) -> None:
    ids = StandardIds({"footwear": {Standard.GOOGLE: "187"}, "boot": {Standard.SHOPIFY: "aa-8-3"}})
    manifest = exported(folder, tmp_path, standard_ids=ids)

    rows = {row["keyword_id"]: row for row in rows_of(folder, manifest, "keywords")}

    assert list(rows) == sorted(rows)
    assert (rows["cowboy-boot"]["google_id"], rows["cowboy-boot"]["shopify_id"]) == ("187", "aa-8-3")
    assert (rows["chair"]["google_id"], rows["chair"]["shopify_id"]) == (None, None)
    assert rows["boot"]["words"]["de"] == "Stiefel"
    assert rows["boot"]["synonyms"]["en"] == ["bootee"]
    carried = {tag["keyword_id"] for row in rows_of(folder, manifest, "images") for tag in row["keywords"]}
    assert carried < rows.keys()
    assert "mouse" in rows.keys() - carried  # a delta may bring it


def test_duckdb_reads_the_same(folder: FolderFiles, tmp_path: Path) -> None:
    place = snapshot_folder(folder, exported(folder, tmp_path))
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")

    found = database.execute(
        f"select image, score, words.de, synonyms.en from '{place}/postings/*.parquet' where keyword_id = 'boot'"
    ).fetchall()
    assert found == [
        ("s3://shop/boot/1.jpg", 0.9, "Stiefel", ["bootee"]),
        ("s3://shop/boot/2.jpg", 0.7, "Stiefel", ["bootee"]),
        ("s3://shop/both.jpg", 0.55, "Stiefel", ["bootee"]),
    ]
    counted = database.execute(
        f"select status, count(*), min(observed_at)::timestamp from '{place}/images/*.parquet'"
        " group by status order by 1"
    ).fetchall()
    observed_at = LOOKED_AT.replace(tzinfo=None)
    assert counted == [("rejected", 2, observed_at), ("tagged", 8, observed_at)]
    unnested = database.execute(
        f"select k.keyword_id from (select unnest(keywords) as k from '{place}/images/*.parquet') where k.score > 0.96"
    ).fetchall()
    assert sorted(unnested) == [("crane-toy",), ("footwear",), ("sneaker",), ("sports",)]


def test_types_are_plain_enough_for_any_reader(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    for part in manifest.files:
        file = pq.ParquetFile(snapshot_folder(folder, manifest) / part.name)
        assert b"ARROW:schema" not in (file.metadata.metadata or {})
        assert not [field for field in file.schema_arrow if re.search("dictionary|large", str(field.type))]
        times = [field.type for field in file.schema_arrow if pa.types.is_timestamp(field.type)]
        assert all((time.unit, time.tz) == ("us", "UTC") for time in times)


def test_the_manifest_says_what_the_files_are(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    place = snapshot_folder(folder, manifest)
    assert Manifest.decode((place / "manifest.json").read_bytes(), "manifest.json") == manifest
    assert (manifest.scan_began_at, manifest.scan_ended_at) == (NOW, NOW)
    assert (manifest.model_versions, manifest.taxonomy_versions) == (("model-1",), ("words-1",))
    assert manifest.vocabulary_version == "words-1"
    for part in manifest.files:
        data = (place / part.name).read_bytes()
        file = pq.ParquetFile(place / part.name)
        assert (part.bytes, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert part.rows == file.metadata.num_rows
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        assert list(part.row_groups) == groups
    for part, columns in (
        (manifest.postings[0], manifest.postings_columns),
        (manifest.coverage[0], manifest.coverage_columns),
        (manifest.keywords[0], manifest.keywords_columns),
    ):
        assert [field.name for field in parquet_schema(place / part.name)] == [column.name for column in columns]


def parquet_schema(path: Path) -> pa.Schema:
    """Return the schema of a file."""
    return pq.ParquetFile(path).schema_arrow


def test_the_pointer_names_the_manifest_and_its_sum(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path)

    latest = Latest.decode((folder.root / LATEST_NAME).read_bytes(), LATEST_NAME)
    data = (folder.root / latest.manifest.name).read_bytes()
    assert latest.snapshot == manifest.snapshot == "20260301T120000.000000Z-id0"
    assert (latest.manifest.bytes, latest.manifest.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert latest.deltas == ()


def test_the_pointer_is_written_last_and_the_manifest_before_it(tmp_path: Path) -> None:
    diary = Diary()
    manifest = exported(diary, tmp_path)

    folder = f"snapshots/{manifest.snapshot}/"
    assert diary.written == [
        f"{folder}images/part-00000.parquet",
        f"{folder}postings/part-00000.parquet",
        f"{folder}coverage/part-00000.parquet",
        f"{folder}keywords/part-00000.parquet",
        f"{folder}manifest.json",
        LATEST_NAME,
    ]


def test_an_item_that_cannot_be_read_is_counted_and_costs_no_other_its_row(tmp_path: Path) -> None:
    class Damaged(MemoryTable):
        def scan(self) -> Iterator[Record | UnreadableItem]:
            yield UnreadableItem("s3://shop/broken.jpg", "it has no revision")
            yield from super().scan()

    manifest = exported(MemoryFiles(), tmp_path, table=Damaged(table_of(small_shop()).records))

    assert (manifest.counts.unreadable, manifest.counts.rows) == (1, 10)
    assert Manifest.decode(manifest.encode(), "manifest.json").counts == manifest.counts


def test_no_records_make_a_snapshot_of_no_rows(folder: FolderFiles, tmp_path: Path) -> None:
    manifest = exported(folder, tmp_path, [])

    assert (manifest.counts.rows, manifest.images[0].rows, manifest.postings[0].rows) == (0, 0, 0)
    place = snapshot_folder(folder, manifest)
    for kind in ("images", "postings", "coverage"):
        assert duckdb.sql(f"select count(*) from '{place}/{kind}/*.parquet'").fetchall() == [(0,)]


def test_the_same_records_make_the_same_files_in_whatever_order_they_come(tmp_path: Path) -> None:
    one, other = MemoryFiles(), MemoryFiles()
    records = small_shop()
    exported(one, tmp_path, records)
    exported(other, tmp_path, random.Random(1).sample(records, len(records)))

    assert one.files == other.files


def test_many_records_are_sorted_though_few_are_in_memory(folder: FolderFiles, tmp_path: Path) -> None:
    chance = random.Random(1)
    ids = [keyword.id for keyword in small_vocabulary().emitted]
    records: list[Record] = []
    for _ in range(700):
        scores = {each: chance.choice([0.5, chance.random()]) for each in chance.sample(ids, 3)}
        records.append(tagged(f"{chance.random()}.jpg", **scores))

    manifest = exported(folder, tmp_path, records, sizes=SMALL)

    assert len(manifest.images) > 1
    assert len(manifest.postings) > 1
    images = [str(row["image"]) for row in rows_of(folder, manifest, "images")]
    assert images == sorted(str(record.observation.image) for record in records)
    postings = rows_of(folder, manifest, "postings")
    keys = [(str(row["keyword_id"]), -float(str(row["score"])), str(row["image"])) for row in postings]
    assert keys == sorted(keys)
    assert len(keys) == 2100
    assert all(images[int(str(row["image_row"]))] == row["image"] for row in postings)
    by_manifest = [each.keyword_id for part in manifest.postings for each in part.keywords for _ in range(each.rows)]
    assert by_manifest == [key[0] for key in keys]
    answer = searcher_of(folder, tmp_path).search("boot", 1000)
    assert answer.total == len({key[2] for key in keys if key[0] in {"boot", "cowboy-boot"}})


def test_the_folder_for_work_is_empty_afterwards(folder: FolderFiles, tmp_path: Path) -> None:
    work = tmp_path / "work"
    exported(folder, work)

    assert list(work.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    class Full(MemoryFiles):
        def write(self, name: str, source: Path) -> None:
            del name, source
            raise OSError(errno.ENOSPC, "No space left on device")

    work = tmp_path / "work"
    with pytest.raises(BadSettings, match=r"there is no space left for the export; .* had [\d,]+ bytes"):
        exported(Full(), work)
    assert list(work.iterdir()) == []


# ---- a reader never sees half ----------------------------------------------------------------------------------------


def totals(files: MemoryFiles, work: Path) -> tuple[str, int]:
    """Return what a reader sees: the snapshot's name, and how many chairs there are."""
    latest = Latest.decode(files.files[LATEST_NAME], LATEST_NAME)
    return latest.snapshot, searcher_of(files, work).search("chair").total


@settings(max_examples=30)
@given(st.integers(0, 20))
def test_whenever_the_store_breaks_a_reader_sees_the_old_or_the_new(
    tmp_path_factory: pytest.TempPathFactory, calls: int
) -> None:
    work = tmp_path_factory.mktemp("breaking")
    files = Breaking(calls_left=1000)
    for day in range(3):
        exported(files, work, [tagged("a.jpg", chair=0.5)], at=NOW + timedelta(days=day))
    old = totals(files, work)
    files.calls_left = calls

    try:
        exported(files, work, [tagged("a.jpg", chair=0.5), tagged("b.jpg", chair=0.6)], at=NOW + timedelta(days=9))
    except RetryLater:
        assert totals(files, work) in {old, ("20260310T120000.000000Z-id0", 2)}
    else:
        assert totals(files, work) == ("20260310T120000.000000Z-id0", 2)


def test_every_snapshot_that_is_kept_stays_whole(tmp_path: Path) -> None:
    files = MemoryFiles()
    for day in range(5):
        exported(files, tmp_path, at=NOW + timedelta(days=day))

    for name, data in files.files.items():
        if name.endswith("manifest.json"):
            manifest = Manifest.decode(data, name)
            for part in manifest.files:
                stored = files.files[f"snapshots/{manifest.snapshot}/{part.name}"]
                assert hashlib.sha256(stored).hexdigest() == part.sha256


# ---- old snapshots ---------------------------------------------------------------------------------------------------


def snapshots(files: MemoryFiles) -> list[str]:
    """Return the names of the snapshots of which anything is left."""
    return sorted({name.split("/")[1] for name in files.files if name.startswith("snapshots/")})


def test_old_snapshots_are_removed_after_the_pointer_has_moved(tmp_path: Path) -> None:
    diary = Diary()
    for day in range(4):
        assert not diary.deleted
        exported(diary, tmp_path, at=NOW + timedelta(days=day))

    assert snapshots(diary) == [f"2026030{day}T120000.000000Z-id0" for day in (2, 3, 4)]
    assert {name.split("/")[1] for name in diary.deleted} == {"20260301T120000.000000Z-id0"}
    assert diary.deleted[0].endswith("/manifest.json")


def test_one_snapshot_may_be_kept(tmp_path: Path) -> None:
    files = MemoryFiles()
    for day in range(3):
        exported(files, tmp_path, at=NOW + timedelta(days=day), kept_snapshots=1)

    assert [name for name in files.names("snapshots/") if name.endswith("manifest.json")] == [
        "snapshots/20260303T120000.000000Z-id0/manifest.json"
    ]


def test_a_half_snapshot_is_removed_when_a_day_has_passed(tmp_path: Path) -> None:
    files = Breaking(calls_left=1000)
    exported(files, tmp_path)
    files.calls_left = 2
    with pytest.raises(RetryLater):
        exported(files, tmp_path, at=NOW + timedelta(hours=1))
    half = "20260301T130000.000000Z-id0"
    assert half in snapshots(files)
    files.calls_left = 1000

    exported(files, tmp_path, at=NOW + timedelta(hours=24))
    assert half in snapshots(files)
    exported(files, tmp_path, at=NOW + timedelta(hours=26))
    assert half not in snapshots(files)


def test_a_scan_that_began_earlier_and_ended_later_does_not_become_the_latest(tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path, at=NOW + timedelta(hours=1))
    exported(files, tmp_path, at=NOW + timedelta(hours=1), scan_began_at=NOW)

    assert Latest.decode(files.files[LATEST_NAME], LATEST_NAME).snapshot == "20260301T130000.000000Z-id0"
    assert len(snapshots(files)) == 2


def test_of_two_exports_within_a_second_the_later_is_the_latest_whatever_their_ids(tmp_path: Path) -> None:
    files = MemoryFiles()
    exported(files, tmp_path, at=NOW, new_id=lambda: "zzz")
    later = exported(files, tmp_path, at=NOW + timedelta(milliseconds=1), new_id=lambda: "aaa")

    assert Latest.decode(files.files[LATEST_NAME], LATEST_NAME).snapshot == later.snapshot
    assert snapshots(files) == ["20260301T120000.000000Z-zzz", "20260301T120000.001000Z-aaa"]


def test_what_else_lies_in_the_folder_is_left_alone(folder: FolderFiles, tmp_path: Path) -> None:
    folder.root.mkdir()
    (folder.root / "notes.txt").write_text("mine")
    for day in range(4):
        exported(folder, tmp_path, at=NOW + timedelta(days=day), kept_snapshots=1)

    assert (folder.root / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.root.iterdir()) == [LATEST_NAME, "notes.txt", "snapshots"]


# ---- the manifest ----------------------------------------------------------------------------------------------------


def test_snapshots_sort_by_time(tmp_path: Path) -> None:
    start = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    times = [start + timedelta(seconds=seconds) for seconds in (0, 1, 3600, 86_400 * 400)]
    names = [exported(MemoryFiles(), tmp_path, [], at=at).snapshot for at in times]

    assert all(one < other for one, other in pairwise(names))


def test_a_manifest_is_json_that_says_its_kind_and_schema_version(tmp_path: Path) -> None:
    body = json.loads(exported(MemoryFiles(), tmp_path).encode())

    assert (body["kind"], body["schema_version"]) == ("snapshot", 1)
    assert body["counts"] == {
        "tagged": 8,
        "rejected": {"bytes": 1, "corrupt": 1},
        "gone": 1,
        "undone": 1,
        "unreadable": 0,
    }


# ---- places that do not work -----------------------------------------------------------------------------------------


def test_a_damaged_pointer_is_mended_by_the_next_export(tmp_path: Path) -> None:
    files = MemoryFiles({LATEST_NAME: b"half"})
    manifest = exported(files, tmp_path)

    assert Latest.decode(files.files[LATEST_NAME], LATEST_NAME).snapshot == manifest.snapshot


def test_a_place_that_may_not_be_written_is_the_callers_mistake(tmp_path: Path) -> None:
    class Locked(MemoryFiles):
        def write(self, name: str, source: Path) -> None:
            del source
            raise PermissionError(errno.EACCES, "Permission denied", name)

    with pytest.raises(CallerError, match=r"part-00000\.parquet cannot be written: Permission denied"):
        exported(Locked(), tmp_path)


def test_a_place_that_does_not_answer_is_said_before_the_table_is_read(tmp_path: Path) -> None:
    class Silent(MemoryFiles):
        def read(self, name: str) -> bytes | None:
            raise RetryLater(name)

    class Unread:
        def scan(self) -> None:
            pytest.fail("the table was read")

    with pytest.raises(RetryLater):
        exported(Silent(), tmp_path, table=Unread())


def test_an_export_in_a_folder_leaves_no_empty_folders(folder: FolderFiles, tmp_path: Path) -> None:
    for day in range(3):
        exported(folder, tmp_path, at=NOW + timedelta(days=day), kept_snapshots=1)

    left = {path.name: list(path.iterdir()) for path in (folder.root / "snapshots").iterdir()}
    assert "20260303T120000.000000Z-id0" in left
    assert all(left.values())
