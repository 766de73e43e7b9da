"""What an export says of images is promised by the twin and by a snapshot alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadExport
from pipeline.exported import ExportedImage
from pipeline.folder import FolderFiles
from pipeline.images import BucketPrefix, ImageRef
from pipeline.memory.exported import MemoryExportedImages
from pipeline.memory.table import MemoryTable
from pipeline.records import GoneImage, Observation, RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from results_sink.connect import ExportPlace, export_place
from results_sink.export.export import Exporter
from results_sink.export.exported_images import exported_images
from results_sink.export.postings_layout import Sizes
from tests.builders import colour_vocabulary
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import gone, tagged

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ports import ExportedImages

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SMALL = Sizes(
    batch_records=4, run_rows=4, merged_rows=2, merged_batches=2, row_group_rows=3, images_part_rows=6
)  # so that a dozen images fill several files
KEYS = ("a", "a/", "a/1.jpg", "a/2.jpg", "a/ü.jpg", "a/😀.jpg", "a0.jpg", "b/1.jpg", "b/2.jpg", "c.jpg", "é.jpg")


def observation(bucket: str, key: str) -> Observation:
    """Return a look at an image."""
    etag = None if key == "c.jpg" else f'"{key}"'
    return Observation(ImageRef(bucket, key), "p", "r", NOW, etag, NOW, "m", "t")


LOOKS = [observation(bucket, key) for bucket in ("shop", "shop-2") for key in KEYS]


def exported(folder: Path) -> ExportPlace:
    """Return a place to which these images were exported, and one that is gone was not."""
    table = MemoryTable()
    for at, each in enumerate(LOOKS):
        rejected = RejectedImage(each, RejectReason.CORRUPT, "it ends")
        table.put(rejected if at % 5 == 0 else TaggedImage(each, (), (), 1, 1), 0)
    table.put(GoneImage(observation("shop", "a/gone.jpg")), 0)
    vocabulary = colour_vocabulary()
    Exporter(table, FolderFiles(folder, lambda: NOW), vocabulary, lambda: "id", sizes=SMALL).export()
    return export_place(str(folder), {})


@pytest.fixture(params=["fake", "snapshot"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> ExportedImages:
    """An export of two shops."""
    if request.param == "fake":
        return MemoryExportedImages(
            NOW, [ExportedImage(each.image, each.observed_at, each.etag, 1) for each in LOOKS[::-1]]
        )
    found = exported_images(exported(tmp_path / "export"), is_followed=False)
    assert found is not None
    assert len(found.rows.snapshot.manifest.images) > 2
    return found


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/ü", "b/2.jpg", "c", "nothing", "zzz", "é"])
@pytest.mark.parametrize("bucket", ["shop", "shop-2", "other", "zoo"])
def test_the_images_of_a_place_come_in_the_order_of_their_keys(
    images: ExportedImages, bucket: str, prefix: str
) -> None:
    found = list(images.below(BucketPrefix(bucket, prefix)))

    inside = [each for each in LOOKS if each.image.bucket == bucket and each.image.key.startswith(prefix)]
    inside.sort(key=lambda each: each.image.key.encode())
    assert found == [ExportedImage(each.image, each.observed_at, each.etag, 1) for each in inside]


def test_an_export_says_when_it_began(images: ExportedImages) -> None:
    assert images.as_of == NOW


def test_only_the_part_of_a_prefix_is_read(tmp_path: Path) -> None:
    found = exported_images(exported(tmp_path), is_followed=False)
    assert found is not None

    assert len(list(found.below(BucketPrefix("shop", "b/")))) == 2

    assert sum(found.rows.snapshot.row_groups_read.values()) <= 2


def test_nothing_that_was_ever_exported_is_no_error(tmp_path: Path) -> None:
    assert exported_images(export_place(str(tmp_path), {}), is_followed=False) is None


def test_the_images_are_those_that_searches_see_with_the_changes_since(tmp_path: Path) -> None:
    shop = Shop(tmp_path, FolderFiles(tmp_path / "export"))
    shop.put(tagged("a.jpg", boot=0.5), tagged("b.jpg", boot=0.5), tagged("c.jpg", boot=0.5))
    shop.export()
    shop.put(tagged("b.jpg", chair=0.9), gone("a.jpg"), tagged("d.jpg", boot=0.7, footwear=0.8))
    opened = exported_images(export_place(str(tmp_path / "export"), {}), is_followed=True)
    assert opened is not None
    before = [(exported.image.key, exported.revision) for exported in opened.below(BucketPrefix("shop"))]
    shop.record()

    images = list(opened.reopen().below(BucketPrefix("shop")))
    assert before == [("a.jpg", 1), ("b.jpg", 1), ("c.jpg", 1)]
    assert [(exported.image.key, exported.revision, exported.keywords) for exported in images] == [
        ("b.jpg", 2, (("chair", 0.9),)),
        ("c.jpg", 1, (("boot", 0.5),)),
        ("d.jpg", 1, (("boot", 0.7), ("footwear", 0.8))),
    ]


def test_an_export_of_nothing_has_no_images(tmp_path: Path) -> None:
    vocabulary = colour_vocabulary()
    Exporter(MemoryTable(), FolderFiles(tmp_path), vocabulary, lambda: "id").export()

    found = exported_images(export_place(str(tmp_path), {}), is_followed=False)

    assert found is not None
    assert list(found.below(BucketPrefix("shop"))) == []


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    place = exported(tmp_path)
    [name, *_] = [name for name in place.files.names() if name.endswith("images/part-00000.parquet")]
    place.files.delete([name])
    found = exported_images(place, is_followed=False)
    assert found is not None

    with pytest.raises(BadExport, match=r"images/part-00000\.parquet is missing"):
        list(found.below(BucketPrefix("shop-2")))
