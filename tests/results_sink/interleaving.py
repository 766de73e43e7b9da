"""Interleaves writers of an export at each of their calls to the store, and says whether search ends as the table is.

The protocol is the real one: publishing, recording, choosing deltas, cleaning up. What lies in the files is made small:
a snapshot and a delta are JSON from image to revision.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Semaphore, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadExport, RetryLater
from pipeline.memory.files import MemoryFiles
from results_sink.export import cleanup, publish
from results_sink.export.changes import BEGINNING, Recorder, delta_stem
from results_sink.export.fold import _left
from results_sink.export.manifest import (
    LATEST_NAME,
    SNAPSHOTS,
    DeltaFile,
    Latest,
    Manifest,
    PartFile,
    RecordCounts,
    snapshot_name,
)
from tests.results_sink.small_shop import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

IMAGES = "abcd"
CHANGES = 20
PART = "images/part-00000.parquet"


@dataclass(frozen=True)
class Change:
    """A change as the stream tells it; the revision is None where the image is removed."""

    sequence: str
    changed_at: datetime
    image: str
    revision: int | None


class Stopped(BaseException):
    """The world has ended early, since somebody broke a rule."""


@dataclass
class World:
    """A table, its stream of two shards, and an export; of all who write, one makes one step at a time."""

    seed: int
    files: Steps = field(init=False)
    table: dict[str, int] = field(default_factory=dict)
    stream: tuple[deque[Change], deque[Change]] = field(default_factory=lambda: (deque(), deque()))
    history: list[Change] = field(default_factory=list)
    now: datetime = NOW
    writes: int = 0
    broken: list[str] = field(default_factory=list)
    clock_ahead = timedelta()  # of exporters, over the store's
    lost_answers = 0.0  # the share of conditional writes that are carried out, and refused when they are repeated

    def __post_init__(self) -> None:
        self.chance, self.files = random.Random(self.seed), Steps(self)
        self.turns: dict[str, Semaphore] = {}
        self.back = Semaphore(0)
        self.ended: set[str] = set()
        self.current = ""

    def tick(self) -> datetime:
        """Let time pass: mostly moments, at times a minute or more."""
        self.now += timedelta(seconds=self.chance.choice((0.01, 0.01, 1, 30, 90)))
        return self.now

    def new_id(self) -> str:
        """Return an id that was not there before."""
        self.writes += 1
        return f"{self.writes:08d}"

    def step(self) -> None:
        """Wait until it is the turn of whoever calls."""
        if self.current and not self.broken:
            name = self.current
            self.back.release()
            self.turns[name].acquire()
        if self.broken:
            raise Stopped

    def run(self, *actors: Callable[[World], None]) -> list[str]:
        """Let all work until they end, and return what is wrong."""
        threads = []
        for number, actor in enumerate(actors):
            name = f"{number}"
            self.turns[name] = Semaphore(0)
            threads.append(Thread(target=self._work, args=(name, actor), daemon=True))
        for thread in threads:
            thread.start()
        while waiting := sorted(self.turns.keys() - self.ended):
            self.current = self.chance.choice(waiting)
            self.turns[self.current].release()
            self.back.acquire()
        self.current = ""
        for thread in threads:
            thread.join()
        return self.broken or self._differences()

    def _work(self, name: str, actor: Callable[[World], None]) -> None:
        self.turns[name].acquire()
        try:
            actor(self)
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong with this world
            self.broken.append(repr(error))
        finally:
            self.ended.add(name)
            self.back.release()

    def _differences(self) -> list[str]:
        for shard in (0, 1):
            record_all(self, shard)
        latest, _ = publish.Publisher(self.files).latest()
        seen: dict[str, int | None] = json.loads(self.files.files[f"{SNAPSHOTS}{latest.snapshot}/{PART}"])
        for delta in latest.deltas:
            seen |= json.loads(self.files.files[delta.name])
        shown = {image: revision for image, revision in seen.items() if revision is not None}
        return [] if shown == self.table else [f"search shows {shown}, the table has {self.table}"]


class Steps(MemoryFiles):
    """A store at which everybody waits for their turn, and which checks what ``latest.json`` names."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=world.tick)
        self.world = world

    def read(self, name: str) -> bytes | None:
        self.world.step()
        return super().read(name)

    def read_version(self, name: str) -> Any:
        self.world.step()
        data = self.files.get(name)
        return None if data is None else SimpleNamespace(data=data, version=sha256(data).hexdigest())

    def write(self, name: str, source: Path) -> str:
        self.world.step()
        return super().write(name, source)

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        self.world.step()
        current = self.files.get(name)
        if (None if current is None else sha256(current).hexdigest()) != seen:
            return False
        self._keep(name, data)
        self.check()
        return not (self.world.lost_answers and self.world.chance.random() < self.world.lost_answers)

    def delete(self, names: Any) -> None:
        for name in names:
            self.world.step()
            self.files.pop(name, None)
            self.check()

    def check(self) -> None:
        """Note what ``latest.json`` names and is gone."""
        data = self.files.get(LATEST_NAME)
        if data is None:
            return
        latest = Latest.decode(data, LATEST_NAME)
        names = [latest.manifest.name, f"{SNAPSHOTS}{latest.snapshot}/{PART}", *(delta.name for delta in latest.deltas)]
        if gone := [name for name in names if name not in self.files]:
            self.world.broken.append(f"latest.json names {gone}")


# ---- Who writes ------------------------------------------------------------------------------------------------------


def shop(world: World) -> None:
    """Write, replace and remove images, and tell the stream."""
    for _ in range(CHANGES):
        world.step()
        image = world.chance.choice(IMAGES)
        if image in world.table and world.chance.random() < 0.3:
            del world.table[image]
            revision = None
        else:
            revision = world.table[image] = world.table.get(image, 0) + 1
        pass_on(world, image, revision)


def pass_on(world: World, image: str, revision: int | None) -> None:
    """Tell the stream of a change."""
    change = Change(str(len(world.history)), world.tick(), image, revision)
    world.history.append(change)
    world.stream[IMAGES.index(image) % 2].append(change)


def redriver(world: World) -> None:
    """Have the newest change come again, as if it had been given up, while others may follow it."""
    for _ in range(CHANGES // 2):
        world.step()
        if world.history:
            redrive(world, world.history[-1])


def redrive(world: World, change: Change) -> None:
    """Renew the revision of what changed, which the stream passes on; what was removed stays so."""
    if change.image in world.table:
        world.table[change.image] += 1
        pass_on(world, change.image, world.table[change.image])


class SmallRecorder(Recorder):
    """The recorder, whose files are small."""

    world: World

    def _write(self, changes: Any, latest: Latest) -> DeltaFile:
        rows = {change.image: change.revision for change in changes}
        data = json.dumps(rows).encode()
        for delta in latest.deltas:
            if delta.name.startswith(delta_stem(changes)) and delta.sha256 == sha256(data).hexdigest():
                return delta
        name = f"{delta_stem(changes)}-{self.new_id()}.parquet"
        version = write(self.files, name, data)
        newest = max(change.changed_at for change in changes)
        return DeltaFile(name, len(rows), len(data), sha256(data).hexdigest(), newest, version)

    def _begin(self) -> None:
        write_snapshot(self.new_id, self.files, BEGINNING, {}, lambda latest: () if latest is None else None)


def recorder(shard: int) -> Callable[[World], None]:
    """Return who records a shard of the stream while changes come."""

    def record(world: World) -> None:
        for _ in range(CHANGES // 2):
            world.step()
            record_batch(world, shard)

    return record


def record_batch(world: World, shard: int) -> None:
    """Record the next changes; where that fails, or its answer is lost, they come again, perhaps with more."""
    waiting = world.stream[shard]
    batch = [waiting[number] for number in range(min(len(waiting), world.chance.randrange(1, 4)))]
    if not batch:
        return
    with suppress(RetryLater, BadExport):
        SmallRecorder(world.files, None, world.new_id).record(batch)
        if world.chance.random() < 0.85 or not world.current:
            for _ in batch:
                waiting.popleft()


def record_all(world: World, shard: int) -> None:
    """Record what is left."""
    for _ in range(10 * CHANGES):
        if world.stream[shard]:
            record_batch(world, shard)


def exporter(world: World) -> None:
    """Scan the table image by image, publish, clean up; again, since others may be first."""
    for _ in range(2):
        world.step()
        before, _ = publish.Publisher(world.files).latest()
        began_at = world.files.now() + world.clock_ahead
        rows = {}
        for image in world.chance.sample(IMAGES, len(IMAGES)):
            world.step()
            rows |= {image: world.table[image]} if image in world.table else {}
        with suppress(RetryLater):
            write_snapshot(
                world.new_id,
                world.files,
                began_at,
                rows,
                lambda latest, before=before, at=began_at: publish.deltas_since_scan(
                    world.files, before.snapshot if before else "", SimpleNamespace(scan_began_at=at)
                )(latest),
            )
            cleanup.remove_unneeded(world.files, world.chance.choice((1, 2)))


def folder(world: World) -> None:
    """Fold the first deltas into the snapshot, as often as there are any."""
    for _ in range(9):
        world.step()
        latest, _ = publish.Publisher(world.files).latest()
        if latest is None or not latest.deltas:
            continue
        chosen = latest.deltas[: world.chance.randrange(1, len(latest.deltas) + 1)]
        files = [world.files.read(f"{SNAPSHOTS}{latest.snapshot}/{PART}")]
        files += [world.files.read(delta.name) for delta in chosen]
        if None in files:
            continue  # something newer was published meanwhile, and what was replaced is gone
        rows: dict[str, int | None] = {}
        for data in files:
            rows |= json.loads(data)
        kept = {image: revision for image, revision in rows.items() if revision is not None}
        began_at = publish.scan_time_of(latest.snapshot)
        with suppress(RetryLater):
            write_snapshot(
                world.new_id,
                world.files,
                began_at,
                kept,
                lambda newest, latest=latest, chosen=chosen: _left(newest, latest.snapshot, chosen),
            )


def cleaner(world: World) -> None:
    """Clean up at any time."""
    for _ in range(3):
        world.step()
        cleanup.remove_unneeded(world.files, 1)


def write(files: Steps, name: str, data: bytes) -> str:
    """Write bytes as a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return files.write(name, Path(file.name))


def write_snapshot(new_id: Any, files: Steps, began_at: datetime, rows: dict[str, int], choose: Any) -> bool:
    """Write a snapshot of these rows and publish it."""
    name, data = snapshot_name(began_at, new_id()), json.dumps(rows).encode()
    version = write(files, f"{SNAPSHOTS}{name}/{PART}", data)
    part = PartFile(PART, len(rows), len(data), sha256(data).hexdigest(), (), (), version)
    manifest = Manifest(
        name, began_at, began_at, RecordCounts(len(rows), {}, 0, 0), (), (), "", (), (), images=(part,), postings=()
    )
    with tempfile.TemporaryDirectory() as work:
        return publish.Publisher(files, lambda _: None).publish(manifest, Path(work), choose)


ACTORS = (shop, recorder(0), recorder(1), exporter, exporter, folder, cleaner)


def first_wrong_world(seeds: range, *others: Callable[[World], None]) -> tuple[int, list[str]] | None:
    """Return the first world in which a rule is broken, or search ends otherwise than the table, and how.

    Args:
        seeds: of the worlds.
        others: work in them beside the usual ones.
    """
    worlds = ((seed, World(seed).run(*ACTORS, *others)) for seed in seeds)
    return next(((seed, wrong) for seed, wrong in worlds if wrong), None)
