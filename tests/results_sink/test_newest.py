"""What is newest answers; where it cannot be had, what was had before does, and no more than two snapshots are kept."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadExport, Denied, NoExport, RetryLater
from pipeline.memory.files import MemoryFiles
from results_sink.export.manifest import LATEST_NAME
from results_sink.export.postings_layout import Sizes
from results_sink.search import newest
from results_sink.search.newest import REFRESH_S, ExportReader
from results_sink.search.snapshot import Downloaded
from tests.results_sink.asking import Clock
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import small_vocabulary, tagged

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Failing(MemoryFiles):
    """Raises what it was told to at each reading of a name that begins so."""

    error: Exception | None = None
    begin: str = LATEST_NAME

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or fail."""
        if self.error and name.startswith(self.begin):
            raise self.error
        return super().read(name)


@dataclass
class Following:
    """A shop and one process that goes on reading it, and what that warns of."""

    shop: Shop
    clock: Clock = field(default_factory=Clock)
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to read; nothing is read yet."""
        copies = Downloaded(self.shop.files, "the export", self.shop.work / "following")
        vocabulary = small_vocabulary()
        self.newest = ExportReader(self.shop.files, copies, "the export", vocabulary, self.clock, self.warned.append)

    def boots(self) -> list[str]:
        """Let so much time pass that it looks, and return the images that it finds."""
        self.clock.now_s += REFRESH_S
        return [each.image.removeprefix("s3://shop/") for each in self.newest.searcher().search("boot").results]


@pytest.fixture
def files() -> Failing:
    return Failing()


@pytest.fixture
def shop(tmp_path: Path, files: Failing) -> Shop:
    """A shop with one boot, exported."""
    shop = Shop(tmp_path, files)
    shop.put(tagged("a.jpg", boot=0.9))
    shop.stream.clear()
    shop.export()
    return shop


@pytest.mark.parametrize("error", [RetryLater("S3 is slow"), Denied("S3 refuses"), BadExport("it is damaged")])
@pytest.mark.parametrize("begin", [LATEST_NAME, "deltas/"])
def test_what_was_had_before_answers_while_what_is_newest_cannot_be_had(
    shop: Shop, files: Failing, error: Exception, begin: str
) -> None:
    following = Following(shop)
    assert following.boots() == ["a.jpg"]
    shop.put(tagged("b.jpg", boot=0.8))
    shop.record()
    files.error, files.begin = error, begin

    assert [following.boots(), following.boots()] == [["a.jpg"], ["a.jpg"]]
    assert following.warned == [
        f"answers are from the export as it was {age_s} s ago; no newer state can be opened: {error}"
        for age_s in (2, 4)
    ]
    files.error = None
    assert following.boots() == ["a.jpg", "b.jpg"]
    assert len(following.warned) == 2


def test_what_fails_before_anything_was_had_is_an_error(shop: Shop, files: Failing) -> None:
    files.error = RetryLater("S3 is slow")

    with pytest.raises(RetryLater, match="S3 is slow"):
        Following(shop).boots()


def test_an_export_that_was_taken_away_answers_no_more(shop: Shop, files: Failing) -> None:
    following = Following(shop)
    following.boots()
    files.delete([LATEST_NAME])

    with pytest.raises(NoExport):
        following.boots()


def test_no_more_than_two_snapshots_are_in_memory(shop: Shop) -> None:
    """The others are freed at once: nothing in them refers to itself."""
    following, living = Following(shop), weakref.WeakSet()
    for at in range(4):
        shop.export()
        shop.put(tagged(f"{at}.jpg", boot=0.5))
        shop.record()
        following.boots()
        following.newest.searcher().search("boot", per_product=True)
        living.add(following.newest.searcher())
        assert len({each.state.snapshot for each in living}) == min(at + 1, 2)


def test_deltas_are_fetched_several_at_once(tmp_path: Path) -> None:
    together = Barrier(4, timeout=20)

    class Meeting(MemoryFiles):
        def read(self, name: str) -> bytes | None:
            if name.startswith("deltas/"):
                together.wait()
            return super().read(name)

    shop = Shop(tmp_path, Meeting())
    for at in range(8):
        shop.put(tagged(f"{at}.jpg", boot=(9 - at) / 10))
        shop.record()

    assert Following(shop).boots() == [f"{at}.jpg" for at in range(8)]


def test_files_of_a_snapshot_are_fetched_several_at_once(tmp_path: Path) -> None:
    together = Barrier(4, timeout=20)

    class Meeting(MemoryFiles):
        def read(self, name: str) -> bytes | None:
            if "/images/" in name:
                together.wait()
            return super().read(name)

    shop = Shop(tmp_path, Meeting())
    shop.put(*(tagged(f"{at}.jpg", boot=(9 - at) / 10) for at in range(8)))
    shop.stream.clear()
    shop.export(sizes=Sizes(row_group_rows=2, images_part_rows=2, postings_part_rows=2))

    assert shop.searcher().search("boot").total == 8


def test_no_more_changes_are_laid_over_a_snapshot_than_the_limit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest changes are laid, so that answers are of one moment; they say which, and a line says why."""
    monkeypatch.setattr(newest, "MOST_CHANGED_ROWS", 2)
    following = Following(shop)
    for number in range(3):
        shop.put(tagged(f"b{number}.jpg", boot=0.5))
        shop.record()

    assert following.boots() == ["a.jpg", "b0.jpg", "b1.jpg"]
    assert following.warned[0].endswith("UTC: 3 changed rows wait to be folded")
    assert following.newest.searcher().search("boot").as_of < shop.now
    shop.export()
    assert sorted(following.boots()) == ["a.jpg", "b0.jpg", "b1.jpg", "b2.jpg"]
