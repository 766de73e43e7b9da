"""Two workers, a shop and one image: every order of their steps, one after the other, ends as the bucket is.

Each call of a worker to the bucket or the table is a step. All schedules are gone through, depth first: a schedule is
run again from the beginning with its last choice changed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from greenlet import getcurrent, greenlet

from pipeline.errors import RetryLater, RevisionConflict
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import GoneImage, TaggedImage
from tagging_lambda.classification_cache import ClassificationCache
from tagging_lambda.reconcile import Outcome, Reconciler
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.builders import COLOURS, ColourClassifier, InlineReader, colour_vocabulary, jpeg, shop, tagger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.records import Record

Changes = tuple[bytes | None, bytes | None, bytes | None]
IMAGE, RED, BLUE = shop("a.jpg"), jpeg("red"), jpeg("blue")
COLOUR_OF = {RED: "red", BLUE: "blue"}
MAPPER = KeywordMapper.of(colour_vocabulary(), COLOURS)
CACHE = ClassificationCache(InlineReader(), ColourClassifier())  # of all worlds: each photo is classified once


@dataclass
class Schedule:
    """Which of those who wait goes on, at each step; where it says nothing, the first."""

    choices: list[tuple[int, int]] = field(default_factory=list)  # the one chosen, and of how many
    step: int = 0

    def choose(self, count: int) -> int:
        """Return the next choice of so many."""
        if self.step == len(self.choices):
            self.choices.append((0, count))
        self.step += 1
        return self.choices[self.step - 1][0]

    def following(self) -> Schedule | None:
        """Return the next schedule, or None where all were gone through."""
        choices = list(self.choices)
        while choices and choices[-1][0] + 1 == choices[-1][1]:
            choices.pop()
        if not choices:
            return None
        chosen, count = choices.pop()
        return Schedule([*choices, (chosen + 1, count)])


@dataclass
class World:
    """A bucket, a table, messages and those who work; one of them makes a step at a time.

    Of the three changes the first one is on record, the message of the second waits, and the third comes meanwhile.
    """

    schedule: Schedule
    changes: Changes
    has_late_write: bool
    images: MemoryImages = field(default_factory=MemoryImages)
    table: MemoryTable = field(default_factory=MemoryTable)
    messages: list[tuple[TagImage, bool]] = field(default_factory=list)
    late: list[tuple[Record, int]] = field(default_factory=list)
    working: dict[str, greenlet] = field(default_factory=dict)

    def wait(self) -> None:
        """Wait for the next turn; outside of the actors there are no turns."""
        if parent := getcurrent().parent:
            parent.switch()

    def change(self, data: bytes | None) -> None:
        """Put the photo or delete it, and send a message of it."""
        if data is None:
            self.images.delete(IMAGE)
        else:
            self.images.put(IMAGE, data)
        self.messages.append((TagImage(IMAGE), False))

    def reconcile(self) -> None:
        """Work off one message; it comes back where that fails."""
        if not self.messages:
            return
        message, was_delivered = self.messages.pop(0)
        worker = tagger(images=SteppedImages(self), table=SteppedTable(self), mapper=MAPPER, cache=CACHE)
        [outcome] = worker.reconcile([message], redelivered={IMAGE} if was_delivered else frozenset()).values()
        if not isinstance(outcome, Outcome):
            self.messages.append((message, True))

    def run(self) -> None:
        """Let the shop and two workers work at the same time, and then whatever is left be done."""

        def sell() -> None:
            self.change(self.changes[2])

        self.change(self.changes[0])
        self.reconcile()
        self.change(self.changes[1])
        actors = {"shop": sell, "first": self.reconcile, "second": self.reconcile}
        self.working = {name: greenlet(actor) for name, actor in actors.items()}
        while names := sorted(self.working):
            name = names[self.schedule.choose(len(names))]
            self.working[name].switch()
            if self.working[name].dead:
                del self.working[name]
        while self.messages:
            self.reconcile()
        for record, seen_revision in self.late:
            with suppress(RevisionConflict):
                self.table.put(record, seen_revision)

    @property
    def is_right(self) -> bool:
        """Whether the record is of the object that is there."""
        stored, record = self.images.objects.get(IMAGE), self.table.records.get(IMAGE)
        if stored is None:
            return isinstance(record, GoneImage)
        if not isinstance(record, TaggedImage) or record.observation.etag != stored.etag:
            return False
        return record.keywords[0].keyword_id == COLOUR_OF[stored.data]


@dataclass(frozen=True)
class SteppedImages:
    """The bucket, of which each answer is a step."""

    world: World

    def fetch(self, image, known_etag, limit_bytes):
        self.world.wait()
        return self.world.images.fetch(image, known_etag, limit_bytes)


@dataclass(frozen=True)
class SteppedTable:
    """The table, of which each write is a step. The first one may hang past its function's end.

    A read is none: it comes first, or after a write that failed and changed nothing.
    """

    world: World

    def get_many(self, images):
        return self.world.table.get_many(images)

    def put(self, record, seen_revision):
        self.world.wait()
        if self.world.has_late_write and self.world.working and not self.world.late:
            self.world.late.append((record, seen_revision))
            raise RetryLater("the table did not answer in the function's time")
        self.world.table.put(record, seen_revision)


def wrong_schedules(changes: Changes, *, has_late_write: bool) -> Iterator[list[int]]:
    """Yield every schedule at whose end the table is not as the bucket."""
    schedule: Schedule | None = Schedule()
    while schedule is not None:
        world = World(schedule, changes, has_late_write)
        world.run()
        if not world.is_right:
            yield [chosen for chosen, _ in schedule.choices]
        schedule = schedule.following()


@pytest.mark.parametrize("has_late_write", [False, True], ids=["", "a write lands late"])
@pytest.mark.parametrize(
    "changes",
    [(RED, BLUE, RED), (RED, BLUE, None), (RED, None, RED), (None, RED, None), (None, RED, BLUE)],
    ids=[
        "replaced and put back",
        "replaced and deleted",
        "deleted and put back",
        "put and deleted",
        "put and replaced",
    ],
)
def test_the_table_is_as_the_bucket_in_every_interleaving(changes: Changes, has_late_write: bool) -> None:
    assert list(wrong_schedules(changes, has_late_write=has_late_write)) == []


def test_a_worker_that_does_not_ask_again_after_its_write_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reconciler, "_has_changed", lambda *_: False)

    assert next(wrong_schedules((RED, BLUE, RED), has_late_write=False), None)


def test_a_redelivery_that_renews_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reconciler, "_renew", lambda _, record, outcome: outcome)

    assert next(wrong_schedules((RED, BLUE, RED), has_late_write=True), None)
