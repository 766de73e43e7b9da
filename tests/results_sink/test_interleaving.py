"""Whoever writes between whose steps: search ends as the table is, and ``latest.json`` never names a deleted file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline.memory.files import MemoryFiles
from results_sink.export import cleanup, publish
from tests.results_sink import interleaving
from tests.results_sink.interleaving import World, first_wrong_world

if TYPE_CHECKING:
    from collections.abc import Callable

WORLDS = 25  # of the protocol as it is; a thousand were run by hand
SEARCHED = 400  # at most, until a bug is found; the rarest takes some 150


def test_search_ends_as_the_table_is_in_every_interleaving() -> None:
    assert first_wrong_world(range(WORLDS)) is None


# ---- Bugs that are put in, some of them old ones ---------------------------------------------------------------------


def ahead(patch: pytest.MonkeyPatch) -> None:
    """The exporter goes by a clock of its own, which is five minutes ahead."""
    patch.setattr(World, "clock_ahead", timedelta(minutes=5))


def forgotten(patch: pytest.MonkeyPatch) -> None:
    """An export takes along the deltas that lie over what is published, and not those that were folded meanwhile."""
    patch.setattr(publish, "_published_since", lambda files, latest, snapshot: [latest])


def unconditional(patch: pytest.MonkeyPatch) -> None:
    """Whoever writes ``latest.json`` last wins."""

    def write_if(files: interleaving.Steps, name: str, data: bytes, seen: str | None) -> bool:
        del seen
        files.world.step()
        files._keep(name, data)  # noqa: SLF001
        files.check()
        return True

    patch.setattr(interleaving.Steps, "write_if", write_if)


def impatient(patch: pytest.MonkeyPatch) -> None:
    """A cleanup takes a snapshot that is not published for an abandoned one, however young it is."""
    patch.setattr(cleanup, "_is_settled", lambda file, now: True)
    patch.setattr(publish.Publisher, "_require_files", lambda *_: None)


def backwards(patch: pytest.MonkeyPatch) -> None:
    """An export that began earlier replaces one that began later, whose late changes were left out."""
    patch.setattr(publish, "scan_time_of", lambda snapshot: interleaving.BEGINNING)


def hasty(patch: pytest.MonkeyPatch) -> None:
    """A change of a minute before the scan is taken for seen though the clocks differ: here any older than later."""
    patch.setattr(publish, "CLOCK_TOLERANCE", -timedelta(minutes=2))


def begun_twice(patch: pytest.MonkeyPatch) -> None:
    """A shard that begins puts its snapshot of nothing in the place of what another published meanwhile."""

    def begin(recorder: interleaving.SmallRecorder) -> None:
        interleaving.write_snapshot(recorder.new_id, recorder.files, interleaving.BEGINNING, {}, lambda _: ())

    patch.setattr(interleaving.SmallRecorder, "_begin", begin)


def unkept(patch: pytest.MonkeyPatch) -> None:
    """Nothing says which deltas lay over a snapshot that was replaced."""
    patch.setattr(publish.Publisher, "_supersede", lambda *_: True)
    patch.setattr(publish, "_published_since", lambda files, latest, snapshot: [latest])


def overtaking(patch: pytest.MonkeyPatch) -> None:
    """A fold is published over whatever is published, with the deltas over that."""

    def left(newest, snapshot, folded):
        del snapshot
        return newest and tuple(delta for delta in newest.deltas if delta not in folded)

    patch.setattr(interleaving, "_left", left)


@pytest.mark.parametrize("put_in", [ahead, forgotten, unconditional, impatient, hasty, begun_twice, unkept, overtaking])
def test_a_bug_that_is_put_in_is_found(put_in: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        put_in(patch)
        assert first_wrong_world(range(SEARCHED)) is not None
    assert MemoryFiles
