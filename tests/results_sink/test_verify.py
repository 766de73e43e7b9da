"""Damage to an export is found before a search meets it, whatever copies this machine keeps."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.memory.files import MemoryFiles
from results_sink.connect import ExportPlace
from results_sink.export.manifest import LATEST_NAME
from results_sink.export.verify import ExportVerifier
from results_sink.search.snapshot import Downloaded
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import small_shop, tagged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.exported import ExportDamage


class Reading(MemoryFiles):
    """Remembers which files were read."""

    reads: list[str]

    def read(self, name: str) -> bytes | None:
        """Read the file and remember its name."""
        self.reads = [*getattr(self, "reads", []), name]
        return super().read(name)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop that was exported, of which a photo changed since."""
    shop = Shop(tmp_path, Reading())
    shop.put(*small_shop())
    shop.export()
    shop.put(tagged("new.jpg", boot=0.9))
    shop.record()
    shop.searcher()  # this machine has copies of all that is damaged later
    return shop


def damages(shop: Shop, *, is_deep: bool = False) -> list[ExportDamage]:
    """Return what is wrong with the export."""
    copies = Downloaded(shop.files, "the export", shop.work / "copies")
    shop.files.reads = []
    return list(ExportVerifier(ExportPlace("the export", shop.files, copies), is_deep).damages())


def name_of(shop: Shop, part: str) -> str:
    """Return the one file of what is published whose name has this in it."""
    snapshot = json.loads(shop.files.files[LATEST_NAME])["snapshot"]
    [name] = [name for name in shop.files.names() if part in name and (snapshot in name or "deltas/" in name)]
    return name


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_whole_export_has_no_damage(shop: Shop, is_deep: bool) -> None:
    assert damages(shop, is_deep=is_deep) == []


def test_a_cheap_pass_reads_what_names_the_files_and_a_deep_one_reads_them(shop: Shop) -> None:
    damages(shop)
    cheap = shop.files.reads
    damages(shop, is_deep=True)

    assert cheap == [LATEST_NAME, name_of(shop, "manifest")]
    assert {name_of(shop, part) for part in ("images/", "postings/", "coverage/", "keywords/", "deltas/")} < set(
        shop.files.reads
    )


@pytest.mark.parametrize("part", ["images/", "postings/", "coverage/", "keywords/", "manifest", "deltas/"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda _: None, "is missing"),
        (lambda data: data[:-1], "bytes instead of"),
        (lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:], "is damaged: its SHA-256 differs"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_named(
    shop: Shop, part: str, damage: Callable[[bytes], bytes | None], problem: str
) -> None:
    name = name_of(shop, part)
    damaged = damage(shop.files.files.pop(name))
    if damaged is not None:
        shop.files.files[name] = damaged

    [found] = damages(shop)

    assert found.file == name
    assert problem in found.problem
    assert found.stops_search == (part not in {"coverage/", "keywords/"})


def test_a_copied_export_whose_versions_are_others_is_read_and_found_whole(shop: Shop) -> None:
    document = json.loads(shop.files.files[LATEST_NAME])
    document["deltas"][0]["version"] = "as the other bucket called it"
    shop.files.files[LATEST_NAME] = json.dumps(document).encode()

    assert damages(shop) == []
    assert name_of(shop, "deltas/") in shop.files.reads


@pytest.mark.parametrize(
    ("pointer", "problem"), [(None, "is missing, though an export was published"), (b"{", "latest.json is damaged")]
)
def test_a_pointer_that_leads_nowhere_stops_search(shop: Shop, pointer: bytes | None, problem: str) -> None:
    shop.files.files.pop(LATEST_NAME)
    shop.files.files |= {LATEST_NAME: pointer} if pointer else {}

    [found] = damages(shop)

    assert problem in found.problem
    assert found.stops_search


def test_where_nothing_was_exported_nothing_is_damaged(tmp_path: Path) -> None:
    assert damages(Shop(tmp_path, Reading())) == []


# ---- Files that are whole, and wrong ---------------------------------------------------------------------------------


def forge(shop: Shop, kind: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the rows of a file, and make all that names it agree."""
    files, name = shop.files.files, name_of(shop, f"{kind}/")
    table = change(pq.read_table(io.BytesIO(files[name])))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    manifest_name = name_of(shop, "manifest")
    manifest = json.loads(files[manifest_name])
    part = _sums(buffer.getvalue()) | {"rows": len(table), "row_groups": [len(table)]}
    manifest[kind][0] |= part
    files[name], files[manifest_name] = buffer.getvalue(), json.dumps(manifest).encode()
    latest = json.loads(files[LATEST_NAME])
    latest["manifest"] |= _sums(files[manifest_name])
    files[LATEST_NAME] = json.dumps(latest).encode()


def _sums(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "version": ""}


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        ("images", lambda table: table.slice(1), "lists 9 rows of images/, but 10 were counted"),
        ("images", lambda table: pa.concat_tables([table.slice(0, 1), table]), "lists 11 rows of images/, but 10 were"),
        ("postings", lambda table: table.slice(len(table) // 2), "were counted"),
    ],
)
def test_rows_that_were_lost_or_doubled_are_found_without_reading_them(
    shop: Shop, kind: str, change: Callable[[pa.Table], pa.Table], problem: str
) -> None:
    forge(shop, kind, change)

    assert [problem in found.problem for found in damages(shop)] == [True]


def test_postings_that_are_not_the_keywords_of_images_are_found_by_a_deep_pass(shop: Shop) -> None:
    def swap_scores(table: pa.Table) -> pa.Table:
        scores = table["score"].to_pylist()
        return table.set_column(1, "score", pa.array(scores[1:2] + scores[:1] + scores[2:]))

    forge(shop, "postings", swap_scores)

    assert damages(shop) == []
    assert ["not the keywords of images/" in found.problem for found in damages(shop, is_deep=True)] == [True]
