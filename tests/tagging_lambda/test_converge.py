"""Whatever happens between any two steps of a look, the last word is the bucket's.

Others change objects, and look at them, before every read, download and write of every look, also inside such looks.
Messages come in any order, twice or late; what ended a look with an exception is asked for again, as its queue would.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from pipeline.errors import RetryLater
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from tagging_lambda.reconcile import Outcome
from tests.builders import COLOURS, jpeg, shop, tagger

KEYS = ("a.jpg", "b.jpg")
CONTENTS = {colour: jpeg(colour) for colour in COLOURS} | {"bad": b"no picture"}
STEPS = 12  # times that the world meddles
DEEPEST = 4  # looks inside looks


@dataclass
class World:
    """A bucket, a table, and everybody who works on them."""

    chance: random.Random
    images: MemoryImages = field(default_factory=MemoryImages)
    table: MemoryTable = field(default_factory=MemoryTable)
    messages: list[TagImage] = field(default_factory=list)
    steps: int = STEPS
    depth: int = 0

    def meddle(self) -> None:
        """Let something happen, or nothing."""
        while self.steps and self.chance.random() < 0.5:
            self.steps -= 1
            if self.chance.random() < 0.5:
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
        self.messages += [TagImage(image)] * self.chance.choice((1, 1, 2))

    def reconcile(self) -> None:
        """Let a worker take some of the messages; those that it does not end come again."""
        self.chance.shuffle(self.messages)
        count = self.chance.choice((1, len(self.messages)))
        taken, self.messages = self.messages[:count], self.messages[count:]
        self.depth += 1
        outcomes = tagger(images=MeddledImages(self), table=MeddledTable(self)).reconcile(taken)
        self.depth -= 1
        again = [ask for ask in taken if not isinstance(outcomes[ask.image], Outcome)]
        assert all(isinstance(outcomes[ask.image], RetryLater) for ask in again)
        self.messages += again

    def end(self) -> None:
        """Let every message be worked off."""
        self.steps = 0
        while self.messages:
            self.reconcile()


class MeddledImages:
    """The bucket, as a look sees it: something may happen before each answer, and after."""

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
        self.world.table.put(record, seen_revision)
        if self.world.steps and self.world.chance.random() < 0.1:
            raise RetryLater("the answer was lost")
        self.world.meddle()


# The last two hundreds hold worlds in which a look that wrote nothing was overtaken by an older one.
@pytest.mark.parametrize("seeds", [range(at, at + 100) for at in (*range(0, 1000, 100), 1700, 1900)], ids=str)
def test_when_the_last_message_is_done_the_table_says_what_the_bucket_says(seeds: range):
    for seed in seeds:
        assert_convergence(World(random.Random(seed)), seed)


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
