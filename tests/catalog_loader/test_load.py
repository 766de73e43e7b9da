"""Loading: what is sent of a catalogue, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from catalog_loader.compare import Versions
from catalog_loader.load import Loaded, Loader, Only, Plan
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sender
from pipeline.errors import CallerError, RetryLater
from pipeline.images import BucketPrefix, ListedImage
from pipeline.memory.images import MemoryImages
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from tests.catalog_loader.conftest import Twins

QUIET = Progress("load", quiet=True)
SHOP = BucketPrefix("shop")
Load = Callable[..., Loaded]


@pytest.fixture
def load(twins: Twins) -> Load:
    """Loads the twins' shop by a plan that is changed in some points."""

    def run(source: BucketPrefix | Manifest = SHOP, **changes: object) -> Loaded:
        loaded = Loaded()
        loader = Loader(twins.images, twins.table, Sender(twins.backfill))
        loader.load(Plan(**({"source": source, "run_id": "run-1"} | changes)), loaded, QUIET)
        return loaded

    return run


def test_every_photo_is_sent_once_with_the_id_of_the_run(twins: Twins, load: Load) -> None:
    twins.put("a.jpg", "b/c.png", "d")

    loaded = load()

    assert twins.sent == ["a.jpg", "b/c.png", "d"]
    assert {message.run_id for message in twins.backfill.messages} == {"run-1"}
    assert {message.product for message in twins.backfill.messages} == {None}
    assert (loaded.candidates.count, loaded.sent.count, loaded.candidates.skipped) == (3, 3, 0)


def test_what_was_found_was_sent_skipped_or_failed(twins: Twins, load: Load) -> None:
    twins.put(*(f"{at:03}.jpg" for at in range(95)), "a/", "b.txt", "c.txt")

    loaded = load()

    assert loaded.candidates.count == 98
    assert loaded.sent.count + loaded.candidates.skipped + loaded.sent.failed == 98
    assert loaded.candidates.by_reason() == {".txt": 2, "folder": 1}


def test_only_what_lies_below_the_prefix_is_sent(twins: Twins, load: Load) -> None:
    twins.put("shoes/a.jpg", "shoes-old/b.jpg", "c.jpg")

    load(BucketPrefix("shop", "shoes/"))

    assert twins.sent == ["shoes/a.jpg"]


def test_a_manifest_is_sent_with_its_products(twins: Twins, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("image,product\ns3://shop/a.jpg,boot\ns3://other/b.jpg,\ns3://shop/c.txt,boot\n")

    loaded = load(Manifest(path))

    sent = {str(message.image): message.product for message in twins.backfill.messages}
    assert sent == {"s3://shop/a.jpg": "boot", "s3://other/b.jpg": None}
    assert loaded.candidates.by_reason() == {".txt": 1}


def test_only_the_missing_are_sent_where_only_they_are_wanted(twins: Twins, load: Load) -> None:
    twins.put("new.jpg", "tagged.jpg", "rejected.jpg", "buried.jpg", "note.txt")
    twins.tag("tagged.jpg")
    twins.reject("rejected.jpg")
    twins.bury("buried.jpg")

    loaded = load(only=frozenset({Only.MISSING}))

    assert twins.sent == ["buried.jpg", "new.jpg"]
    assert loaded.candidates.by_reason() == {"not missing": 2, ".txt": 1}


def test_only_the_stale_or_the_rejected_are_sent_where_both_are_wanted(
    twins: Twins, load: Load, later: datetime
) -> None:
    twins.put("new.jpg", "tagged.jpg", "rejected.jpg", "replaced.jpg")
    twins.tag("tagged.jpg", "replaced.jpg")
    twins.reject("rejected.jpg")
    twins.put("replaced.jpg", data=b"another", at=later)

    loaded = load(only=frozenset({Only.STALE, Only.REJECTED}))

    assert twins.sent == ["rejected.jpg", "replaced.jpg"]
    assert loaded.candidates.by_reason() == {"not rejected or stale": 2}


def test_a_new_model_makes_everything_tagged_stale(twins: Twins, load: Load) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.tag("b.jpg", model_version="model-2")

    load(only=frozenset({Only.STALE}), versions=Versions(model="model-2"))

    assert twins.sent == ["a.jpg"]


def test_a_load_ends_at_the_most_images_and_goes_on_behind_the_last(twins: Twins, load: Load) -> None:
    twins.put(*(f"{at}.jpg" for at in range(5)))

    first = load(max_images=3)
    assert twins.sent == ["0.jpg", "1.jpg", "2.jpg"]
    assert (first.reached_max, str(first.sent.last)) == (True, "s3://shop/2.jpg")

    second = load(max_images=3, start_after=str(first.sent.last))
    assert twins.sent == [f"{at}.jpg" for at in range(5)]
    assert not second.reached_max


def test_a_load_that_ends_exactly_at_the_most_images_was_not_stopped(twins: Twins, load: Load) -> None:
    twins.put("a.jpg", "b.jpg")

    assert not load(max_images=2).reached_max
    assert load(max_images=0).reached_max


def test_a_rehearsal_counts_and_sends_nothing(twins: Twins) -> None:
    twins.put("a.jpg", "b.jpg", data=b"12345")
    twins.put("c.txt")
    loaded = Loaded()

    Loader(twins.images, twins.table, Sender(twins.backfill)).rehearse(Plan(SHOP, "run-1"), loaded, QUIET)

    assert twins.sent == []
    assert (loaded.candidates.count, loaded.chosen, loaded.chosen_bytes, loaded.candidates.skipped) == (3, 2, 10, 1)


def test_a_listing_that_breaks_off_leaves_word_of_what_was_sent(twins: Twins) -> None:
    class BreakingImages(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            yield from super().listing(place, start_after)
            raise RetryLater("throttled")

    images = BreakingImages(twins.images.objects)
    twins.put(*(f"{at:02}.jpg" for at in range(25)))
    loaded = Loaded()
    with pytest.raises(RetryLater):
        Loader(images, twins.table, Sender(twins.backfill)).load(Plan(SHOP, "run-1"), loaded, QUIET)

    assert (loaded.sent.count, str(loaded.sent.last)) == (20, "s3://shop/19.jpg")


def test_an_image_to_start_after_that_no_manifest_names_sends_nothing(twins: Twins, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("image\ns3://shop/a.jpg\n")

    with pytest.raises(CallerError, match="the manifest does not name"):
        load(Manifest(path), start_after="s3://shop/b.jpg")
    assert twins.sent == []


@pytest.mark.parametrize("only", [frozenset(), frozenset({Only.MISSING})])
def test_progress_counts_what_is_found_whether_it_is_sent_or_not(twins: Twins, only: frozenset[Only]) -> None:
    steps: list[int] = []

    class Counting(Progress):
        def step(self, count: int = 1) -> None:
            steps.append(count)

    twins.put(*(f"{at:03}.jpg" for at in range(25)), "notes.txt")
    twins.tag("000.jpg", "001.jpg")
    plan = Plan(SHOP, "run-1", only=only)

    Loader(twins.images, twins.table, Sender(twins.backfill)).load(plan, Loaded(), Counting("load", quiet=True))

    assert (sum(steps), len(twins.sent)) == (26, 23 if only else 25)
