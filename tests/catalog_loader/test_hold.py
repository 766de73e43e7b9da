"""An export is held against the records: what it could know and does not say is a gap."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from catalog_loader.commands import audit as audit_command
from catalog_loader.compare import Versions
from catalog_loader.console import Console
from catalog_loader.export_check import OFFENDERS, SETTLING, STREAM_WAITS_S
from pipeline.exported import ExportDamage, ExportedImage, OpenedExport
from pipeline.memory.exported import MemoryExportedImages
from pipeline.records import TaggedImage
from tests.catalog_loader.conftest import LOOKED_AT, shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.images import ImageRef
    from pipeline.records import Record
    from tests.catalog_loader.conftest import Twins

EXPORTED_AT = LOOKED_AT + timedelta(days=1)
AFTER, JUST_BEFORE = EXPORTED_AT + timedelta(hours=1), EXPORTED_AT - SETTLING
SETTLED = JUST_BEFORE - timedelta(seconds=1)


def exported(twins: Twins, *keys: str) -> MemoryExportedImages:
    """Return an export of these images as they are recorded now; one without a record was looked at long ago."""
    records = {record.observation.image: record for record in twins.table.scan()}
    images = [exported_image(shop(key), records.get(shop(key))) for key in keys]
    return MemoryExportedImages(EXPORTED_AT, images)


def exported_image(image: ImageRef, record: Record | None) -> ExportedImage:
    """Return the row of an image with this record."""
    if record is None:
        return ExportedImage(image, LOOKED_AT, '"e"', 1)
    keywords = record.keywords if isinstance(record, TaggedImage) else ()
    pairs = tuple((tag.keyword_id, tag.score) for tag in keywords)
    return ExportedImage(image, record.observation.observed_at, record.observation.etag, record.revision, pairs)


def audited(
    twins: Twins,
    export: MemoryExportedImages | None,
    place: str = "s3://shop",
    sleep: Callable[[float], object] = lambda _: None,
) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the report of an audit."""
    said: list[str] = []
    console, opened = Console(True, said.append, said.append), OpenedExport(export)
    code = audit_command.audit(
        place, Versions(), twins.connect, console, enqueue=False, exported=lambda: opened, sleep=sleep
    )
    return code, json.loads(said[0])


def gaps(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the keys of the offenders of each kind of gap in the export, of which there are as many as are counted."""
    kinds = ("not_exported", "export_stale", "export_wrong", "exported_orphan")
    found = {kind: [name.removeprefix("s3://shop/") for name in document["offenders"][kind]] for kind in kinds}
    assert all(document[kind] == len(found[kind]) for kind in kinds)
    return {kind: keys for kind, keys in found.items() if keys}


def test_an_export_that_says_what_is_recorded_has_no_gap(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg", "ü.jpg")
    twins.tag("a.jpg", "ü.jpg")
    twins.reject("b.jpg")
    twins.bury("gone.jpg")

    code, document = audited(twins, exported(twins, "a.jpg", "b.jpg", "ü.jpg"))

    assert (code, gaps(document)) == (0, {})
    assert document["export"] == {
        "as_of": EXPORTED_AT.isoformat(),
        "newer": 0,
        "search_is_down": False,
        "damages": [],
    }


def test_what_an_export_should_hold_and_does_not_is_a_gap(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg", "c.jpg")
    twins.tag("a.jpg", "c.jpg")
    twins.reject("b.jpg")

    code, document = audited(twins, exported(twins, "c.jpg"))

    assert (code, gaps(document)) == (1, {"not_exported": ["a.jpg", "b.jpg"]})


def test_an_image_that_was_looked_at_since_the_export_began_is_counted_and_no_gap(twins: Twins) -> None:
    twins.put("new.jpg", "replaced.jpg")
    twins.tag("replaced.jpg")
    export = exported(twins, "replaced.jpg", "deleted.jpg")
    twins.tag("new.jpg", "replaced.jpg", observed_at=AFTER)
    twins.bury("deleted.jpg", observed_at=AFTER)

    code, document = audited(twins, export)

    assert (code, gaps(document), document["export"]["newer"]) == (0, {}, 3)


@pytest.mark.parametrize(("observed_at", "is_gap"), [(SETTLED, True), (JUST_BEFORE, False)])
def test_a_look_has_a_minute_to_be_written(twins: Twins, observed_at: datetime, is_gap: bool) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg", observed_at=observed_at)

    assert audited(twins, exported(twins))[0] == is_gap


def test_an_older_look_in_the_export_is_a_gap(twins: Twins) -> None:
    twins.put("again.jpg", "other.jpg")
    twins.tag("again.jpg", "other.jpg")
    export = exported(twins, "again.jpg", "other.jpg")
    twins.tag("again.jpg", observed_at=LOOKED_AT + timedelta(hours=1))
    twins.tag("other.jpg", etag='"another"')

    code, document = audited(twins, export)

    assert (code, gaps(document)) == (1, {"export_stale": ["again.jpg", "other.jpg"]})


def test_other_keywords_in_the_export_than_in_the_record_of_that_revision_are_a_gap(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg", "b.jpg")
    export = exported(twins, "a.jpg", "b.jpg")
    export.images[1] = replace(export.images[1], keywords=(("boot", 0.5),))

    code, document = audited(twins, export)

    assert (code, gaps(document)) == (1, {"export_wrong": ["b.jpg"]})


def test_a_change_has_seconds_to_reach_the_export(twins: Twins) -> None:
    """A pin or an undo has no time of its own: the record is another revision, and the stream is about to tell it."""
    twins.put("a.jpg")
    twins.tag("a.jpg", observed_at=LOOKED_AT + timedelta(hours=1))
    export = exported(twins, "a.jpg")
    twins.tag("a.jpg")
    told = exported(twins, "a.jpg").images
    waits_s: list[float] = []

    def tell_after_three_waits(wait_s: float) -> None:
        waits_s.append(wait_s)
        if len(waits_s) == 3:
            export.images = told

    assert gaps(audited(twins, export)[1]) == {"export_stale": ["a.jpg"]}
    assert audited(twins, export, sleep=tell_after_three_waits)[0] == 0
    assert waits_s == list(STREAM_WAITS_S[:3])


def test_an_image_that_is_in_the_export_twice_is_a_gap(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg", "b.jpg")

    code, document = audited(twins, exported(twins, "a.jpg", "a.jpg", "b.jpg"))

    assert (code, gaps(document)) == (1, {"exported_orphan": ["a.jpg"]})


def test_an_export_that_cannot_be_read_is_said_to_stop_search_and_the_rest_is_audited(twins: Twins) -> None:
    twins.put("a.jpg")
    said: list[str] = []
    opened = OpenedExport(None, (ExportDamage("latest.json", "is missing, though an export was published"),))

    for as_json in (True, False):
        console = Console(as_json, said.append, said.append)
        code = audit_command.audit(
            "s3://shop", Versions(), twins.connect, console, enqueue=False, exported=lambda: opened
        )
        assert code == 1
    document = json.loads(said[0])
    assert document["export"]["search_is_down"]
    assert document["missing"] == 1
    assert said[1].splitlines()[-4:] == [
        "SEARCH IS DOWN",
        "latest.json is missing, though an export was published",
        "The export cannot be read. No record was compared with it.",
        "`catalog-tagger export` writes a new one.",
    ]


def test_what_was_gone_before_the_export_began_or_was_never_known_is_an_orphan_in_it(twins: Twins) -> None:
    twins.put("listed.jpg")
    twins.bury("gone.jpg", "z.jpg")

    code, document = audited(twins, exported(twins, "gone.jpg", "listed.jpg", "unknown.jpg", "z.jpg"))

    assert code == 1
    assert gaps(document) == {"exported_orphan": ["listed.jpg", "gone.jpg", "unknown.jpg", "z.jpg"]}


def test_a_file_that_is_never_loaded_may_be_in_the_export(twins: Twins) -> None:
    """It came by an upload, and was rejected."""
    twins.put("notes.txt")
    twins.reject("notes.txt")

    assert audited(twins, exported(twins, "notes.txt"))[0] == 0


def test_an_audit_of_a_prefix_looks_at_that_part_of_the_export(twins: Twins) -> None:
    twins.put("shoes/a.jpg", "hats/b.jpg")
    twins.tag("shoes/a.jpg")

    assert audited(twins, exported(twins, "shoes/a.jpg", "hats/orphan.jpg"), "s3://shop/shoes/")[0] == 0
    assert audited(twins, exported(twins, "hats/orphan.jpg"), "s3://shop/shoes/")[0] == 1


def test_strangers_are_looked_up_by_the_hundred_and_only_some_are_named(twins: Twins) -> None:
    export = exported(twins, *(f"{at:03}.jpg" for at in range(250)))

    code, document = audited(twins, export)

    assert (code, document["exported_orphan"], twins.table.reads) == (1, 250, 3)
    assert len(document["offenders"]["exported_orphan"]) == OFFENDERS


def test_where_nothing_was_exported_nothing_is_held_against_it(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")

    code, document = audited(twins, None)

    assert (code, document["export"]["as_of"], document["export"]["search_is_down"]) == (0, None, False)
    assert "not_exported" not in document


def test_a_person_is_told_of_the_export_and_of_the_way_out(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.tag("b.jpg", observed_at=AFTER)
    said: list[str] = []
    console, opened = Console(False, said.append, said.append), OpenedExport(exported(twins, "b.jpg"))
    audit_command.audit(
        "s3://shop",
        Versions(),
        twins.connect,
        console,
        enqueue=False,
        exported=lambda: opened,
        sleep=lambda _: None,
    )

    assert said[0].splitlines()[9:] == [
        "",
        "export as of 2026-01-03 00:00:00 UTC, 1 images were observed since",
        "not_exported     1",
        "  s3://shop/a.jpg",
        "export_stale     0",
        "export_wrong     0",
        "exported_orphan  0",
        "`catalog-tagger export` writes a new one.",
    ]
