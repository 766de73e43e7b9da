"""An export is held against the records: what it could know and does not say is a gap."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from catalog_loader.commands import audit as audit_command
from catalog_loader.compare import Versions
from catalog_loader.console import Console
from catalog_loader.export_check import OFFENDERS, SETTLING
from pipeline.exported import ExportedImage
from pipeline.memory.exported import MemoryExportedImages
from tests.catalog_loader.conftest import LOOKED_AT, shop

if TYPE_CHECKING:
    from tests.catalog_loader.conftest import Twins

EXPORTED_AT = LOOKED_AT + timedelta(days=1)
AFTER, JUST_BEFORE = EXPORTED_AT + timedelta(hours=1), EXPORTED_AT - SETTLING
SETTLED = JUST_BEFORE - timedelta(seconds=1)


def exported(twins: Twins, *keys: str) -> MemoryExportedImages:
    """Return an export of these images as they are recorded now; one without a record was looked at long ago."""
    records = {record.observation.image: record.observation for record in twins.table.scan()}
    looks = [(shop(key), records.get(shop(key))) for key in keys]
    images = [
        ExportedImage(image, observation.observed_at, observation.etag)
        if observation
        else ExportedImage(image, LOOKED_AT, '"e"')
        for image, observation in looks
    ]
    return MemoryExportedImages(EXPORTED_AT, images)


def audited(twins: Twins, export: MemoryExportedImages | None, place: str = "s3://shop") -> tuple[int, dict[str, Any]]:
    """Return the exit code and the report of an audit."""
    said: list[str] = []
    voice = Console(True, said.append, said.append)
    code = audit_command.audit(place, Versions(), twins.connect, voice, enqueue=False, exported=lambda: export)
    return code, json.loads(said[0])


def gaps(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the keys of the offenders of each kind of gap in the export, of which there are as many as are counted."""
    kinds = ("not_exported", "export_stale", "exported_orphan")
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
    assert document["export"] == {"as_of": EXPORTED_AT.isoformat(), "newer": 0}


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


def test_a_look_that_was_undone_since_is_no_gap(twins: Twins) -> None:
    """The look before it is on record again: older than the exported one, and of the same object."""
    twins.put("a.jpg")
    twins.tag("a.jpg", observed_at=LOOKED_AT + timedelta(hours=1))
    export = exported(twins, "a.jpg")
    twins.tag("a.jpg")

    assert audited(twins, export)[0] == 0


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
    assert document["offenders"]["exported_orphan"] == [f"s3://shop/{at:03}.jpg" for at in range(OFFENDERS)]


def test_where_nothing_was_exported_nothing_is_held_against_it(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")

    code, document = audited(twins, None)

    assert (code, document["export"]) == (0, None)
    assert "not_exported" not in document


def test_a_person_is_told_of_the_export_and_of_the_way_out(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.tag("b.jpg", observed_at=AFTER)
    said: list[str] = []
    voice = Console(False, said.append, said.append)

    audit_command.audit(
        "s3://shop", Versions(), twins.connect, voice, enqueue=False, exported=lambda: exported(twins, "b.jpg")
    )

    assert said[0].splitlines()[9:] == [
        "",
        "export of 2026-01-03 00:00:00 UTC, 1 images were looked at since",
        "not_exported     1",
        "  s3://shop/a.jpg",
        "export_stale     0",
        "exported_orphan  0",
        "`catalog-tagger export` writes a new one.",
    ]
