"""Auditing: every image ends in exactly one place, and an audit says in which."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from catalog_loader.audit import Audit, Auditor, peeked
from catalog_loader.compare import Standing, Versions
from catalog_loader.manifest import Manifest
from catalog_loader.send import OFFENDERS
from pipeline.exported import ExportedImage, OpenedExport
from pipeline.images import BucketPrefix, ImageRef, ListedImage
from pipeline.memory.dead_letters import MemoryDeadLetters
from pipeline.memory.exported import MemoryExportedImages
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.progress import Progress
from pipeline.records import GoneImage, Observation, TaggedImage, UndoneImage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipeline.records import Record
    from tests.catalog_loader.conftest import Twins

QUIET = Progress("audit", quiet=True)
SHOP = BucketPrefix("shop")


def audited(
    twins: Twins, place: BucketPrefix | Manifest = SHOP, versions: Versions | None = None
) -> tuple[Audit, list[str]]:
    """Return what an audit of the shop found, and the keys that another look would put right."""
    queues, letters = (twins.uploads, twins.backfill), (twins.dead_uploads, twins.dead_backfill)
    audit = Audit()
    gap = Auditor(twins.images, twins.table, queues, letters).audit(place, versions or Versions(), audit, QUIET)
    return audit, [candidate.image.key for candidate in gap]


def numbers(**counts: int) -> dict[str, int]:
    """Return the numbers of an audit, of which most are zero."""
    names = ("listed", "tagged", "rejected", "dead_lettered", "waiting", "missing", "stale", "orphaned", "unreadable")
    return dict.fromkeys(names, 0) | counts


def message(key: str) -> str:
    """Return the body of a message that asks for the photo."""
    return TagImage(ImageRef("shop", key), "run-1").encode()


def test_an_empty_shop_has_no_gap(twins: Twins) -> None:
    audit, gap = audited(twins)

    assert (audit.numbers(), audit.has_gap, gap) == (numbers(), False, [])


def test_a_shop_in_which_every_photo_ended_has_no_gap(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg", "c.jpg", "notes.txt", "folder/")
    twins.tag("a.jpg", "b.jpg")
    twins.reject("c.jpg")
    twins.bury("gone.jpg")

    audit, gap = audited(twins)

    assert audit.numbers() == numbers(listed=3, tagged=2, rejected=1)
    assert (audit.has_gap, gap) == (False, [])


def test_each_kind_of_gap_is_counted_named_and_given_out_to_be_closed(twins: Twins, later: datetime) -> None:
    twins.put("tagged.jpg", "missing.jpg", "buried.jpg", "replaced.jpg", "dead.jpg")
    twins.tag("tagged.jpg", "replaced.jpg", "orphan.jpg")
    twins.bury("buried.jpg")
    twins.put("replaced.jpg", data=b"another", at=later)
    twins.dead_backfill.add(message("dead.jpg"))

    audit, gap = audited(twins)

    assert audit.numbers() == numbers(listed=5, tagged=1, dead_lettered=1, missing=2, stale=1, orphaned=1)
    assert gap == ["buried.jpg", "missing.jpg", "replaced.jpg", "orphan.jpg"]
    assert {kind: [image.key for image in images] for kind, images in audit.offenders.items()} == {
        Standing.DEAD_LETTERED: ["dead.jpg"],
        Standing.MISSING: ["buried.jpg", "missing.jpg"],
        Standing.STALE: ["replaced.jpg"],
        Standing.ORPHANED: ["orphan.jpg"],
        Standing.UNREADABLE: [],
        Standing.ABSENT: [],
    }
    assert audit.has_gap


def test_of_a_manifest_every_image_that_it_names_is_held_against_its_record_and_its_object(
    twins: Twins, later: datetime, tmp_path: Path
) -> None:
    """Each is counted once; what is absent cannot be tagged by another message, so none is asked for."""
    keys = ["tagged.jpg", "refused.jpg", "missing.jpg", "replaced.jpg", "other.jpg", "dead.jpg"]
    gone = ["orphan.jpg", "never.jpg", "buried.jpg"]
    twins.put(*keys, "unnamed.jpg")
    twins.tag("tagged.jpg", "replaced.jpg", "other.jpg", "orphan.jpg")
    twins.reject("refused.jpg")
    twins.bury("buried.jpg")
    twins.put("replaced.jpg", data=b"another", at=later)
    twins.dead_backfill.add(message("dead.jpg"))
    path = tmp_path / "m.csv"
    products = {"other.jpg": "another product"}
    lines = [f"s3://shop/{key},{products.get(key, 'product')}" for key in [*keys, *gone]]
    path.write_text("\n".join(["image,product", *lines, "s3://nowhere/a.jpg,product", "s3://shop/notes.txt,"]))

    audit, gap = audited(twins, Manifest(path))

    counts = {"tagged": 1, "rejected": 1, "dead_lettered": 1, "missing": 1, "stale": 2, "orphaned": 1}
    assert audit.numbers() == numbers(listed=10, **counts) | {"absent": 3}
    assert gap == ["missing.jpg", "replaced.jpg", "other.jpg", "orphan.jpg"]
    assert [str(image) for image in audit.offenders[Standing.ABSENT]] == [
        "s3://shop/never.jpg",
        "s3://shop/buried.jpg",
        "s3://nowhere/a.jpg",
    ]
    assert audit.has_gap
    assert twins.images.downloads == 0


def test_a_manifest_whose_images_all_ended_has_no_gap(twins: Twins, tmp_path: Path) -> None:
    twins.put("a.jpg", "empty.jpg")
    twins.images.put(ImageRef("shop", "empty.jpg"), b"")
    twins.tag("a.jpg")
    twins.reject("empty.jpg")
    path = tmp_path / "m.csv"
    path.write_text("image\ns3://shop/a.jpg\ns3://shop/empty.jpg\n")

    audit, gap = audited(twins, Manifest(path))

    assert audit.numbers() == numbers(listed=2, tagged=1, rejected=1) | {"absent": 0}
    assert (audit.has_gap, gap) == (False, [])


def test_every_image_that_is_listed_is_counted_once(twins: Twins, later: datetime) -> None:
    keys = [f"{at:03}.jpg" for at in range(300)]
    twins.put(*keys)
    twins.tag(*keys[::2])
    twins.reject(*keys[::5])
    twins.put(*keys[::7], data=b"another", at=later)
    for key in keys[::3]:
        twins.dead_uploads.add(message(key))

    found = audited(twins)[0].numbers()

    assert found["listed"] == 300
    assert sum(found[name] for name in ("tagged", "rejected", "dead_lettered", "missing", "stale")) == 300


def test_messages_that_wait_are_counted_and_left_alone(twins: Twins) -> None:
    twins.backfill.send([TagImage(ImageRef("shop", "a.jpg"))])
    twins.uploads.send([TagImage(ImageRef("shop", "b.jpg"))])

    audit, _ = audited(twins)

    assert audit.numbers() == numbers(waiting=2)
    assert not audit.has_gap
    assert (len(twins.backfill.messages), len(twins.uploads.messages)) == (1, 1)


def test_a_dead_letter_of_a_photo_that_was_tagged_after_all_is_no_gap(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")
    twins.dead_backfill.add(message("a.jpg"))

    assert audited(twins)[0].numbers() == numbers(listed=1, tagged=1)


def test_a_dead_letter_that_cannot_be_read_is_a_gap_of_its_own(twins: Twins) -> None:
    twins.dead_uploads.add("this is no message of ours")

    audit, gap = audited(twins)

    assert audit.numbers() == numbers(dead_lettered=1)
    assert (audit.has_gap, gap) == (True, [])


def test_dead_letters_can_be_seen_again_after_an_audit(twins: Twins) -> None:
    for at in range(25):
        twins.dead_backfill.add(message(f"{at}.jpg"))

    audited(twins)

    assert (len(twins.dead_backfill.letters), len(twins.dead_backfill.hidden)) == (25, 0)


def test_letters_that_come_round_again_are_counted_once() -> None:
    class Forgetful(MemoryDeadLetters):
        """A queue that hides nothing."""

        def receive(self) -> tuple:
            return tuple(self.letters)[:10]

        def release(self, letters: Collection) -> None:
            """There is nothing to do."""

    queue = Forgetful()
    queue.add(message("a.jpg"))
    queue.add(message("b.jpg"))

    letters, is_all = peeked(queue)
    assert len(letters) == 2
    assert not is_all


def test_letters_that_could_not_be_read_want_attention(twins: Twins) -> None:
    class Short(MemoryDeadLetters):
        """A queue of which the first letters are seen again before the last ones are reached."""

        def receive(self) -> tuple:
            return tuple(self.letters)[:10]

        def release(self, letters: Collection) -> None:
            """There is nothing to do."""

    queue = Short()
    for at in range(25):
        queue.add(message(f"{at}.jpg"))
    audit = Audit()
    assert list(Auditor(twins.images, twins.table, (), (queue,)).audit(SHOP, Versions(), audit, QUIET)) == []

    assert (audit.unread_letters, audit.has_gap) == (15, True)


def test_an_audit_of_a_prefix_knows_nothing_of_the_rest(twins: Twins) -> None:
    twins.put("shoes/a.jpg", "hats/b.jpg")
    twins.tag("shoes/a.jpg", "shoes/orphan.jpg", "hats/orphan.jpg")

    audit, gap = audited(twins, BucketPrefix("shop", "shoes/"))

    assert audit.numbers() == numbers(listed=1, tagged=1, orphaned=1)
    assert gap == ["shoes/orphan.jpg"]


def test_a_photo_that_came_while_the_listing_went_by_is_no_orphan(twins: Twins) -> None:
    class LateImages(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            yield from ()

    twins.put("late.jpg")
    twins.tag("late.jpg")
    twins.images = LateImages(twins.images.objects)

    audit, _ = audited(twins)

    assert audit.numbers() == numbers()
    assert twins.images.downloads == 0


def test_a_record_of_a_skipped_ending_is_no_orphan_while_its_file_is_there(twins: Twins) -> None:
    """It came by an upload, which skips nothing, and was rejected."""
    twins.put("notes.txt")
    twins.reject("notes.txt")

    assert audited(twins)[0].numbers() == numbers()


def test_what_another_model_tagged_is_stale_where_the_current_one_is_said(twins: Twins) -> None:
    twins.put("a.jpg")
    twins.tag("a.jpg")

    audit, gap = audited(twins, versions=Versions(model="model-2"))

    assert audit.numbers() == numbers(listed=1, stale=1)
    assert gap == ["a.jpg"]


def test_only_the_first_offenders_are_named_however_many_there_are(twins: Twins) -> None:
    twins.put(*(f"{at:03}.jpg" for at in range(100)))

    audit, gap = audited(twins)

    assert len(gap) == 100
    assert [image.key for image in audit.offenders[Standing.MISSING]] == [f"{at:03}.jpg" for at in range(OFFENDERS)]


def test_memory_grows_by_a_few_bytes_an_image() -> None:
    most_on_their_way = 8_000  # the records that are being compared while others are read
    more = 24_000  # a list of their names would take four times what is permitted; fewer hide behind what is on its way

    assert peak_bytes(most_on_their_way + more) - peak_bytes(most_on_their_way) < 25 * more


def peak_bytes(size: int) -> int:
    """Return the most memory that an audit of so many photos takes; bucket, table and export are generators."""

    class Listing(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            del place, start_after
            for at in range(size):
                yield ListedImage(ImageRef("shop", f"a/long/way/down/{at:09}.jpg"), '"e"', 1, NOW)

    class Table(MemoryTable):
        def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record]:
            return {image: record_of(image) for image in images}

        def scan(self) -> Iterator[Record]:
            return (record_of(listed.image) for listed in Listing().listing(SHOP))

    class Exported(MemoryExportedImages):
        def below(self, place: BucketPrefix) -> Iterator[ExportedImage]:
            return (ExportedImage(listed.image, NOW, listed.etag, 0) for listed in Listing().listing(place))

    audit = Audit()
    auditor = Auditor(Listing(), Table(), (), (), OpenedExport(Exported(NOW + timedelta(days=1))))
    tracemalloc.start()
    try:
        gap = list(auditor.audit(SHOP, Versions(), audit, QUIET))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (audit.numbers(), audit.has_gap, gap) == (numbers(listed=size, tagged=size), False, [])
    return peak


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record_of(image: ImageRef) -> TaggedImage:
    """Return a record of the photo as it is listed."""
    return TaggedImage(Observation(image, "p", "r", NOW, '"e"', NOW, "m", "t"), (), (), 1, 1)


@pytest.mark.parametrize("end", [TaggedImage, GoneImage])
def test_a_tombstone_is_no_orphan(twins: Twins, end: type) -> None:
    if end is GoneImage:
        twins.bury("a.jpg")
    else:
        twins.tag("a.jpg")

    assert audited(twins)[0].numbers()["orphaned"] == (0 if end is GoneImage else 1)


def test_a_look_that_was_taken_back_leaves_no_orphan(twins: Twins) -> None:
    twins.record(UndoneImage(twins.observation("a.jpg")))

    assert audited(twins)[0].numbers() == numbers()


def test_many_orphans_are_all_found_whatever_their_number(twins: Twins) -> None:
    keys = [f"{at:03}.jpg" for at in range(200)]
    twins.tag(*keys)

    audit, gap = audited(twins)

    assert audit.numbers() == numbers(orphaned=200)
    assert sorted(gap) == keys


def test_records_that_cannot_be_read_are_counted_once_named_and_not_sent(twins: Twins) -> None:
    twins.put("listed.jpg", "fine.jpg")
    twins.tag("listed.jpg", "fine.jpg", "unlisted.jpg")
    for key in ("listed.jpg", "unlisted.jpg"):
        twins.table.damage(ImageRef("shop", key))
    twins.table.damage(ImageRef("another-shop", "a.jpg"))

    audit, gap = audited(twins)

    assert audit.numbers() == numbers(listed=2, tagged=1, unreadable=2)
    assert [item.key for item in audit.unreadable.examples] == ["s3://shop/listed.jpg", "s3://shop/unlisted.jpg"]
    assert (audit.has_gap, gap) == (True, [])
