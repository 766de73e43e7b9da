"""Whatever happens between any two steps of reconciling, in the end the table says what the bucket says.

Others change objects, and reconcile them, before every read, download and write, also inside such a reconciliation.
Messages come in any order, twice or late; those whose outcome is an exception are delivered again, as by their queue.
Writes hang past their function's end, and land at any later time, even after the last message is done.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import RetryLater, RevisionConflict
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from tagging_lambda.reconcile import Outcome
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.builders import COLOURS, colour_vocabulary, jpeg, shop, tagger

if TYPE_CHECKING:
    from pipeline.records import Record

KEYS = ("a.jpg", "b.jpg")
CONTENTS = {colour: jpeg(colour) for colour in COLOURS} | {"bad": b"no picture"}
MAPPER = KeywordMapper.of(colour_vocabulary(), COLOURS)
STEPS = 12  # times that the world meddles
DEEPEST = 4  # workers inside workers


@dataclass(frozen=True)
class Queued:
    """A message in the queue, and whether it was delivered before."""

    message: TagImage
    was_delivered: bool = False


@dataclass
class World:
    """A bucket, a table, and everybody who works on them. ``late`` holds writes that hang, where there are any."""

    chance: random.Random
    images: MemoryImages = field(default_factory=MemoryImages)
    table: MemoryTable = field(default_factory=MemoryTable)
    messages: list[Queued] = field(default_factory=list)
    steps: int = STEPS
    depth: int = 0
    has_late_writes: bool = False
    late: list[tuple[Record, int]] = field(default_factory=list)
    reconciled: int = 0

    def meddle(self) -> None:
        """Let something happen, or nothing."""
        while self.steps and self.chance.random() < 0.5:
            self.steps -= 1
            if self.late and self.chance.random() < 0.25:
                self.land()
            elif self.chance.random() < 0.5:
                self.change()
            elif self.depth < DEEPEST:
                self.reconcile()

    def change(self) -> None:
        """Put, replace or delete an object; S3 sends a message of it, sometimes two."""
        image = shop(self.chance.choice(KEYS))
        if self.chance.random() < 0.3:
            self.images.delete(image)
        else:
            self.images.put(image, CONTENTS[self.chance.choice([*CONTENTS])])
        self.messages += [Queued(TagImage(image))] * self.chance.choice((1, 1, 2))

    def land(self) -> None:
        """Let one of the writes that hang reach the table."""
        record, seen_revision = self.late.pop(self.chance.randrange(len(self.late)))
        with suppress(RevisionConflict):
            self.table.put(record, seen_revision)

    def reconcile(self) -> None:
        """Let a worker take some of the messages; those that it does not finish are delivered again."""
        self.chance.shuffle(self.messages)
        count = self.chance.choice((1, len(self.messages)))
        taken, self.messages = self.messages[:count], self.messages[count:]
        self.reconciled += len(taken)
        self.depth += 1
        outcomes = tagger(images=MeddledImages(self), table=MeddledTable(self), mapper=MAPPER).reconcile(
            [queued.message for queued in taken],
            redelivered={queued.message.image for queued in taken if queued.was_delivered},
        )
        self.depth -= 1
        retried = [queued.message for queued in taken if not isinstance(outcomes[queued.message.image], Outcome)]
        assert all(isinstance(outcomes[message.image], RetryLater) for message in retried)
        self.messages += [Queued(message, was_delivered=True) for message in retried]

    def end(self) -> None:
        """Let every message be worked off, and then let every write that still hangs land."""
        self.steps = 0
        while self.messages:
            self.reconcile()
        while self.late:
            self.land()


class MeddledImages:
    """The bucket, as a worker sees it: something may happen before each answer, and after."""

    def __init__(self, world: World) -> None:
        self.world = world

    def fetch(self, image, known_etag, limit_bytes):
        self.world.meddle()
        found = self.world.images.fetch(image, known_etag, limit_bytes)
        self.world.meddle()
        return found


class MeddledTable:
    """The table, likewise; a write that is carried out may seem to have failed, as when its answer is lost."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get_many(self, images):
        self.world.meddle()
        found = self.world.table.get_many(images)
        self.world.meddle()
        return found

    def put(self, record, seen_revision):
        self.world.meddle()
        if self.world.has_late_writes and self.world.steps and self.world.chance.random() < 0.08:
            self.world.late.append((record, seen_revision))
            raise RetryLater("the table did not answer in the function's time")
        self.world.table.put(record, seen_revision)
        if self.world.steps and self.world.chance.random() < 0.1:
            raise RetryLater("the answer was lost")
        self.world.meddle()


# The last two hundreds hold worlds in which a worker that wrote nothing was overtaken by an older one.
@pytest.mark.parametrize("seeds", [range(at, at + 100) for at in (*range(0, 1000, 100), 1700, 1900)], ids=str)
def test_when_the_last_message_is_done_the_table_says_what_the_bucket_says(seeds: range):
    for seed in seeds:
        assert_convergence(World(random.Random(seed)), seed)


# The last two hold the worlds, two of 6,000, that end wrong where a redelivery does not renew the revision.
@pytest.mark.parametrize("seeds", [range(300), range(5640, 5650), range(5700, 5710)], ids=str)
def test_a_write_that_lands_late_never_has_the_last_word(seeds: range):
    for seed in seeds:
        assert_convergence(World(random.Random(seed), has_late_writes=True), seed)


def assert_convergence(world: World, seed: int) -> None:
    """Let the world go its way, and hold the table against the bucket."""
    world.change()
    while world.steps:
        world.reconcile()
        world.meddle()
    world.end()
    for key in KEYS:
        found, record = world.images.objects.get(shop(key)), world.table.records.get(shop(key))
        if found is None:
            assert record is None or isinstance(record, GoneImage), seed
        elif found.data == CONTENTS["bad"]:
            assert isinstance(record, RejectedImage), seed
        else:
            assert isinstance(record, TaggedImage), seed
            assert found.data == CONTENTS[record.keywords[0].keyword_id], seed
        assert found is None or record.observation.etag == found.etag, seed
