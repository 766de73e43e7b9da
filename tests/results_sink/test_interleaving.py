"""Whoever writes between whose steps: search ends as the table is, and ``latest.json`` never names a deleted file."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import BadExport, RetryLater
from results_sink.export import cleanup, publish
from tests.results_sink import interleaving
from tests.results_sink.interleaving import World, first_wrong_world

if TYPE_CHECKING:
    from collections.abc import Callable

WORLDS = 15  # of the protocol as it is; twenty were run by hand
SEARCHED = 20


@pytest.mark.parametrize("lost_answers", [0.0, 0.3])
def test_search_ends_as_the_table_is_in_every_interleaving(
    lost_answers: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "lost_answers", lost_answers)

    assert first_wrong_world(range(WORLDS)) is None


def test_a_change_that_was_given_up_and_comes_again_late_hides_no_newer_one() -> None:
    assert first_wrong_world(range(36, 36 + WORLDS), interleaving.redriver) is None


def test_a_change_that_comes_again_as_it_was_hides_a_newer_one() -> None:
    """The reason why a redrive renews records: between its look at the table and its delta another one may come."""

    def pass_on_as_it_was(world: World, change: interleaving.Change) -> None:
        if world.table.get(change.image) == change.revision:
            with suppress(RetryLater, BadExport):
                interleaving.SmallRecorder(world.files, None, world.new_id).record([change])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interleaving, "redrive", pass_on_as_it_was)
        assert first_wrong_world(range(36, 36 + SEARCHED), interleaving.redriver) is not None


# ---- Bugs that are put in, some of them old ones ---------------------------------------------------------------------


def ahead(patch: pytest.MonkeyPatch) -> None:
    """The exporter goes by a clock of its own, which is five minutes ahead."""
    patch.setattr(World, "clock_ahead", timedelta(minutes=5))


def forgotten(patch: pytest.MonkeyPatch) -> None:
    """An export takes along the deltas that lie over what is published, and not those that were folded meanwhile."""
    patch.setattr(publish, "_published_since", lambda *arguments: [arguments[1]])


def unconditional(patch: pytest.MonkeyPatch) -> None:
    """Whoever writes ``latest.json`` last wins."""

    def write_if(files: interleaving.Steps, name: str, data: bytes, seen: str | None) -> bool:
        del seen
        files.world.step()
        files._keep(name, data)
        files.check()
        return True

    patch.setattr(interleaving.Steps, "write_if", write_if)


def impatient(patch: pytest.MonkeyPatch) -> None:
    """A cleanup takes a snapshot that is not published for an abandoned one, however young it is."""
    patch.setattr(cleanup, "_is_settled", lambda *_: True)
    patch.setattr(publish.Publisher, "_require_files", lambda *_: None)


def backwards(patch: pytest.MonkeyPatch) -> None:
    """An export that began earlier replaces one that began later, whose late changes were left out."""
    patch.setattr(publish, "scan_time_of", lambda _: interleaving.BEGINNING)


def hasty(patch: pytest.MonkeyPatch) -> None:
    """A change of up to two minutes after the scan began is taken for seen by it."""
    patch.setattr(publish, "CLOCK_TOLERANCE", -timedelta(minutes=2))


def begun_twice(patch: pytest.MonkeyPatch) -> None:
    """A shard that begins puts its snapshot of nothing in the place of what another published meanwhile."""

    def begin(recorder: interleaving.SmallRecorder) -> None:
        interleaving.write_snapshot(recorder.new_id, recorder.files, interleaving.BEGINNING, {}, lambda _: ())

    patch.setattr(interleaving.SmallRecorder, "_begin", begin)


def overtaking(patch: pytest.MonkeyPatch) -> None:
    """A fold is published over whatever is published, with the deltas over that."""

    def left(newest, snapshot, folded):
        del snapshot
        return newest and tuple(delta for delta in newest.deltas if delta not in folded)

    patch.setattr(interleaving, "_left", left)


@pytest.mark.parametrize(
    ("put_in", "first_seed"),
    [
        (ahead, 12),
        (forgotten, 246),
        (unconditional, 0),
        (impatient, 0),
        (backwards, 21),
        (hasty, 17),
        (begun_twice, 46),
        (overtaking, 0),
    ],
)
def test_a_bug_that_is_put_in_is_found(put_in: Callable[[pytest.MonkeyPatch], None], first_seed: int) -> None:
    """The search begins at a world that was found by hand: rare ones take minutes from the first."""
    with pytest.MonkeyPatch.context() as patch:
        put_in(patch)
        assert first_wrong_world(range(first_seed, first_seed + SEARCHED)) is not None
