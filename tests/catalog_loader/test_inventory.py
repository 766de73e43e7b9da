"""An S3 Inventory as a source: what is read of it in each format, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import pytest

from catalog_loader.candidates import Candidate
from catalog_loader.commands import audit as audit_command
from catalog_loader.commands import load as load_command
from catalog_loader.commands.load import LoadRequest
from catalog_loader.compare import Versions
from catalog_loader.console import Console
from catalog_loader.inventory import Inventory
from pipeline.errors import CallerError, NoStack
from pipeline.exported import ExportedImage, OpenedExport
from pipeline.images import ImageRef, ListedImage
from pipeline.memory.exported import MemoryExportedImages
from pipeline.memory.files import MemoryFiles
from tests.catalog_loader.conftest import LOOKED_AT, shop
from tests.inventories import MANIFEST, MODIFIED_AT, Listed, inventory_objects

if TYPE_CHECKING:
    from datetime import datetime

    from tests.catalog_loader.conftest import Twins

ADDRESS = f"s3://lists/{MANIFEST}"
ODD = 'a b+c/größe & "1", 100%.jpg'
every_format = pytest.mark.parametrize("file_format", ["CSV", "Parquet", "ORC"])
LATER = LOOKED_AT + timedelta(days=1)
TO_A_PROGRAM = Console(True, click.echo, partial(click.echo, err=True))


def opened(objects: dict[str, bytes], prefix: str = "") -> Inventory:
    """Return the inventory that these objects of the bucket ``lists`` are."""
    return Inventory.load(ADDRESS, lambda _: MemoryFiles(objects), prefix)


def keys_of(objects: dict[str, bytes], prefix: str = "") -> list[str]:
    """Return the keys that the inventory yields."""
    return [candidate.image.key for candidate in opened(objects, prefix).images()]


@every_format
def test_every_object_comes_as_a_listing_would_show_it(file_format: str) -> None:
    objects = inventory_objects([Listed("a.jpg"), Listed(ODD, "0c-2", 7)], [Listed("b.jpg")], file_format=file_format)

    assert list(opened(objects).images()) == [
        Candidate(image, ListedImage(image, etag, size, MODIFIED_AT))
        for image, etag, size in (
            (ImageRef("shop", "a.jpg"), '"0a0b"', 5),
            (ImageRef("shop", ODD), '"0c-2"', 7),
            (ImageRef("shop", "b.jpg"), '"0a0b"', 5),
        )
    ]


@every_format
def test_older_versions_and_delete_markers_are_left_out(file_format: str) -> None:
    rows = [
        Listed("a.jpg"),
        Listed("a.jpg", "old", is_latest=False),
        Listed("gone.jpg", None, None, is_delete_marker=True),
        Listed("back.jpg", None, None, is_latest=False, is_delete_marker=True),
        Listed("back.jpg"),
    ]

    assert keys_of(inventory_objects(rows, file_format=file_format, versioned=True)) == ["a.jpg", "back.jpg"]


@every_format
def test_an_inventory_may_list_nothing_but_keys(file_format: str) -> None:
    objects = inventory_objects([Listed("a.jpg")], file_format=file_format, facts=False)

    assert list(opened(objects).images()) == [Candidate(ImageRef("shop", "a.jpg"))]


def test_a_prefix_selects_a_part_of_the_bucket() -> None:
    objects = inventory_objects([Listed("photos/a.jpg"), Listed("invoices/a.jpg"), Listed("photos/b.jpg")])

    assert keys_of(objects, "photos/") == ["photos/a.jpg", "photos/b.jpg"]


def test_files_are_read_one_after_the_other_and_none_ahead() -> None:
    """A billion keys take no more memory or disk than the largest file."""
    files = MemoryFiles(inventory_objects([Listed("a.jpg")], [Listed("b.jpg")]))
    images = Inventory.load(ADDRESS, lambda _: files).images()

    assert next(images).image.key == "a.jpg"
    files.delete(["shop/daily/data/1.csv.gz"])
    with pytest.raises(CallerError, match=r"1\.csv\.gz, which is not there; take a newer inventory"):
        next(images)


def test_a_file_that_is_not_what_the_manifest_says_is_not_used() -> None:
    objects = inventory_objects([Listed("a.jpg")])
    objects["shop/daily/data/0.csv.gz"] = inventory_objects([Listed("b.jpg")])["shop/daily/data/0.csv.gz"]

    with pytest.raises(CallerError, match=r"data/0\.csv\.gz has the MD5 [0-9a-f]{32}, and s3://lists/.* says"):
        keys_of(objects)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no s3://lists/"),
        (b"{", "is no manifest of S3 Inventory: Expecting"),
        (b"[]", "is no manifest of S3 Inventory: "),
        (b"\xff\xfe\xfd", "is no manifest of S3 Inventory: "),
        (b'{"images": 3}', "is no manifest of S3 Inventory: it lacks 'fileFormat'"),
        (inventory_objects(fileFormat="TSV")[MANIFEST], "its fileFormat is 'TSV', not CSV, Parquet, ORC"),
        (inventory_objects(files=[{"key": "a"}])[MANIFEST], "it lacks 'MD5checksum'"),
        (inventory_objects(destinationBucket=None)[MANIFEST], "is no manifest of S3 Inventory: "),
    ],
)
def test_what_is_no_inventory_is_said_in_one_line(content: bytes | None, problem: str) -> None:
    objects = {} if content is None else {MANIFEST: content}

    with pytest.raises(CallerError, match=problem) as caught:
        opened(objects)
    assert "\n" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_the_callers_mistake() -> None:
    def no_bucket(_: object) -> MemoryFiles:
        raise NoStack("s3://lists/: there is no such bucket")

    with pytest.raises(CallerError, match="there is no bucket lists"):
        Inventory.load(ADDRESS, no_bucket)


@pytest.mark.parametrize(
    ("made_as", "called", "problem"),
    [
        ("CSV", "Parquet", r"0\.csv\.gz: is no inventory in Parquet: "),
        ("CSV", "ORC", "is no inventory in ORC: "),
        ("ORC", "CSV", "is no inventory in CSV: Not a gzipped file"),
    ],
)
def test_a_file_in_another_format_than_the_manifest_says_is_named(made_as: str, called: str, problem: str) -> None:
    with pytest.raises(CallerError, match=problem):
        keys_of(inventory_objects([Listed("a.jpg")], file_format=made_as, fileFormat=called))


def test_a_row_with_other_columns_than_the_schema_is_named() -> None:
    with pytest.raises(CallerError, match="is no inventory in CSV: "):
        keys_of(inventory_objects([Listed("a.jpg")], fileSchema="Bucket, Key"))


def test_a_schema_without_keys_is_named() -> None:
    with pytest.raises(CallerError, match="a row has no key"):
        keys_of(inventory_objects([Listed("a.jpg")], facts=False, fileSchema="Bucket, Name"))


# ---- load ------------------------------------------------------------------------------------------------------------


def run(twins: Twins, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Load the inventory and return the report."""
    load_command.load(LoadRequest(ADDRESS, **options), twins.connect, TO_A_PROGRAM)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_an_inventory_is_loaded_without_a_listing(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Listed("a.jpg"), Listed("notes.txt"), Listed("folder/"), Listed("b.jpg")]
    twins.files["s3://lists/"] = MemoryFiles(inventory_objects(rows))

    report = run(twins, capsys)

    assert (report["found"], report["sent"], report["skipped_by"]) == (4, 2, {".txt": 1, "folder": 1})
    assert twins.sent == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("start_after", ["s3://shop/b.jpg", "b.jpg"])
def test_a_load_that_was_stopped_goes_on_in_the_order_of_the_files(
    twins: Twins, capsys: pytest.CaptureFixture[str], start_after: str
) -> None:
    rows = [Listed("c.jpg"), Listed("b.jpg")], [Listed("a.jpg")]
    twins.files["s3://lists/"] = MemoryFiles(inventory_objects(*rows, file_format="ORC"))

    assert run(twins, capsys, start_after=start_after)["sent"] == 1
    assert twins.sent == ["a.jpg"]


def test_images_that_changed_are_told_by_what_the_inventory_lists(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("same.jpg", "changed.jpg")
    twins.tag("same.jpg", "changed.jpg")
    etag = twins.images.objects[ImageRef("shop", "same.jpg")].etag.strip('"')
    rows = [Listed("same.jpg", etag), Listed("changed.jpg", "0c0d"), Listed("new.jpg")]
    twins.files["s3://lists/"] = MemoryFiles(inventory_objects(rows, file_format="Parquet"))

    assert run(twins, capsys, only=("stale", "missing"))["sent"] == 2
    assert twins.sent == ["changed.jpg", "new.jpg"]


def test_a_prefix_is_for_inventories(twins: Twins) -> None:
    with pytest.raises(CallerError, match=r"--prefix is for the manifest\.json of an inventory"):
        load_command.load(LoadRequest("s3://shop/", prefix="photos/"), twins.connect, TO_A_PROGRAM)


# ---- audit -----------------------------------------------------------------------------------------------------------


def audited(
    twins: Twins,
    capsys: pytest.CaptureFixture[str],
    rows: list[Listed],
    export: MemoryExportedImages | None = None,
    prefix: str = "",
) -> dict[str, Any]:
    """Audit by an inventory of these rows and return the report; gaps are enqueued."""
    twins.files["s3://lists/"] = MemoryFiles(inventory_objects(rows[::2], rows[1::2]))
    audit_command.audit(
        ADDRESS,
        Versions(),
        twins.connect,
        TO_A_PROGRAM,
        enqueue=True,
        prefix=prefix,
        exported=lambda: export and OpenedExport(export),
        sleep=lambda _: None,
    )
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def row_of(twins: Twins, key: str) -> Listed:
    """Return what an inventory lists of the photo as it is."""
    return Listed(key, twins.images.objects[shop(key)].etag.strip('"'))


def test_an_audit_by_an_inventory_finds_what_an_audit_by_a_listing_finds(
    twins: Twins, capsys: pytest.CaptureFixture[str], later: datetime
) -> None:
    twins.put("tagged.jpg", "missing.jpg", "replaced.jpg", "a-rejected.jpg")
    twins.tag("tagged.jpg", "replaced.jpg", "orphan.jpg")
    twins.reject("a-rejected.jpg")
    twins.put("replaced.jpg", data=b"another", at=later)
    keys = ("tagged.jpg", "missing.jpg", "replaced.jpg", "a-rejected.jpg")

    report = audited(twins, capsys, [*(row_of(twins, key) for key in keys), Listed("notes.txt")])

    counts = {"listed": 4, "tagged": 1, "rejected": 1, "missing": 1, "stale": 1, "orphaned": 1, "skipped": 1}
    assert {name: report[name] for name in counts} == counts
    assert twins.sent == ["missing.jpg", "orphan.jpg", "replaced.jpg"]


def test_what_happened_since_the_inventory_was_written_is_no_gap(
    twins: Twins, capsys: pytest.CaptureFixture[str], later: datetime
) -> None:
    twins.put("same.jpg", "replaced.jpg", "deleted.jpg")
    rows = [row_of(twins, key) for key in ("same.jpg", "replaced.jpg", "deleted.jpg")]
    twins.put("replaced.jpg", data=b"another", at=later)
    twins.put("new.jpg", at=later)
    twins.tag("same.jpg", "replaced.jpg", "new.jpg")
    twins.images.delete(shop("deleted.jpg"))
    twins.bury("deleted.jpg")

    report = audited(twins, capsys, rows)

    assert (report["listed"], report["tagged"], report["skipped"]) == (2, 2, 1)
    assert not any(report[gap] for gap in ("missing", "stale", "orphaned", "unreadable"))
    assert not twins.sent


def test_what_was_deleted_since_and_is_still_recorded_is_an_orphan(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")
    rows = [row_of(twins, "a.jpg"), Listed("b.jpg")]
    twins.tag("b.jpg", etag="other")

    report = audited(twins, capsys, rows)

    assert (report["listed"], report["orphaned"], report["missing"]) == (2, 1, 0)
    assert twins.sent == ["b.jpg"]


def test_an_export_is_compared_with_an_inventory_in_any_order(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [f"{number}.jpg" for number in (3, 1, 4, 2, 0)]
    twins.put(*keys)
    twins.tag(*keys)
    exported = [
        ExportedImage(record.observation.image, LOOKED_AT, record.observation.etag, record.revision)
        for record in twins.table.scan()
        if record.observation.image.key != "4.jpg"
    ]
    exported += [exported[0], ExportedImage(shop("stranger.jpg"), LOOKED_AT, '"e"', 1)]
    exported[1] = ExportedImage(exported[1].image, LOOKED_AT, '"old"', 1)

    report = audited(twins, capsys, [row_of(twins, key) for key in keys], MemoryExportedImages(LATER, exported))

    counts = {"tagged": 5, "not_exported": 1, "export_stale": 1, "export_wrong": 0, "exported_orphan": 2}
    assert {name: report[name] for name in counts} == counts
    assert report["offenders"]["not_exported"] == ["s3://shop/4.jpg"]


def test_an_audit_of_a_part_of_an_inventory_knows_nothing_of_the_rest(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("photos/a.jpg", "other/b.jpg")
    twins.tag("photos/a.jpg", "other/orphan.jpg")
    rows = [row_of(twins, "photos/a.jpg"), row_of(twins, "other/b.jpg")]

    report = audited(twins, capsys, rows, prefix="photos/")

    assert (report["listed"], report["tagged"], report["missing"], report["orphaned"]) == (1, 1, 0, 0)
