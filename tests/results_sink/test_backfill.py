"""Search goes on while changes come faster than they are folded."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import RetryLater
from pipeline.memory.files import MemoryFiles
from results_sink.export.fold import LONGEST_S
from results_sink.export.manifest import LATEST_NAME, Latest
from results_sink.export.publish import ATTEMPTS, LONGEST_WAIT_S, Publisher
from results_sink.search import newest as newest_module
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import tagged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop of which ten photos changed, each in a delta of its own."""
    shop = Shop(tmp_path)
    shop.export()
    for number in range(10):
        shop.put(tagged(f"{number}.jpg", boot=0.9 - number / 100))
        shop.record()
    return shop


def latest_of(shop: Shop) -> Latest:
    """Return what is published."""
    return Latest.decode(shop.files.read(LATEST_NAME) or b"", LATEST_NAME)


def test_folds_follow_each_other_until_nothing_is_left(shop: Shop) -> None:
    shop.folding(most_rows=3).fold_all()

    assert latest_of(shop).deltas == ()
    assert len(shop.found("boot")) == 10


@pytest.mark.parametrize(("left_s", "folds"), [(100.0, 4), (12.0, 1), (23.0, 2), (33.0, 3)])
def test_no_fold_begins_that_might_not_end_in_time(shop: Shop, left_s: float, folds: int) -> None:
    """Each takes ten seconds here, and the next one may take 13."""
    steps = (second for second in count(0, 10) for _ in range(2))  # a fold begins when the one before ends
    ticks = chain([0, 0], (second for second in steps if second))
    shop.folding(most_rows=3, clock_s=lambda: float(next(ticks))).fold_all(left_s)

    assert len(latest_of(shop).deltas) == max(10 - 3 * folds, 0)


def test_a_call_ends_before_the_next_one_is_due(shop: Shop) -> None:
    ticks = iter([0.0, 0.0, LONGEST_S])
    shop.folding(most_rows=3, clock_s=lambda: next(ticks)).fold_all(900)

    assert len(latest_of(shop).deltas) == 7


def test_a_search_lays_no_more_rows_over_a_snapshot_than_its_memory_holds(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers from the state of some time ago, says how old that is, and catches up with the folds."""
    monkeypatch.setattr(newest_module, "MOST_CHANGED_ROWS", 4)
    warned: list[str] = []
    newest = replace(shop.newest(), warn=warned.append)

    before = [result.image for result in newest.searcher().search("boot").results]
    as_of = latest_of(shop).deltas[3].newest_change_at
    shop.fold(most_rows=8)
    after = [result.image for result in newest.searcher().search("boot").results]

    assert before == [f"s3://shop/{number}.jpg" for number in range(4)]
    assert warned == [f"answers are as of {as_of:%H:%M:%S} UTC: 10 changed rows wait to be folded"]
    assert len(after) == 10


# ---- Writers of latest.json ------------------------------------------------------------------------------------------


class Contended(MemoryFiles):
    """Somebody else is first, so many times."""

    losses: int = 0

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Lose a while, then write."""
        self.losses -= 1
        return self.losses < 0 and super().write_if(name, data, seen)


def test_a_writer_that_loses_waits_longer_each_time_and_reads_again(shop: Shop) -> None:
    contended = Contended(shop.files.files)
    contended.losses = 7
    waits_s: list[float] = []
    latest = latest_of(shop)

    is_changed = Publisher(contended, waits_s.append).change(lambda seen: replace(seen, deltas=seen.deltas[:1]))

    assert is_changed
    assert len(waits_s) == 7
    assert all(0 <= wait_s <= min(0.05 * 2**number, LONGEST_WAIT_S) for number, wait_s in enumerate(waits_s))
    assert latest_of(shop).deltas == latest.deltas[:1]


def test_a_writer_that_always_loses_is_tried_again_later(shop: Shop) -> None:
    contended = Contended(shop.files.files)
    contended.losses = ATTEMPTS
    waits_s: list[float] = []

    with pytest.raises(RetryLater, match=rf"latest\.json was changed by others {ATTEMPTS} times in a row"):
        Publisher(contended, waits_s.append).change(lambda seen: replace(seen, deltas=()))
    assert sum(waits_s) < 60  # the time that the function that records changes has
