"""Who reads while others export, record, fold and are killed sees each state whole, and never an older one again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import RetryLater
from pipeline.folder import FolderFiles
from pipeline.memory.files import MemoryFiles
from pipeline.memory.table import MemoryTable
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import NOW, tagged

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.ports import FileStore
    from results_sink.search.newest import ExportReader

ROUNDS = 25
PHOTOS = 20


class Killable:
    """Passes calls on to a store, and ends whoever calls, now and then, before or after what was asked is done."""

    def __init__(self, files: FileStore, seed: int) -> None:
        self._files, self._chance, self.kills = files, random.Random(seed), 0

    def __getattr__(self, name: str) -> object:
        call = getattr(self._files, name)
        if name not in {"write", "write_if", "delete"}:
            return call

        def called(*words: object) -> object:
            self._kill()
            done = call(*words)
            self._kill()
            return done

        return called

    def _kill(self) -> None:
        if self._chance.random() < 0.05:
            self.kills += 1
            raise RetryLater("killed")


def generation(number: int) -> list:
    """Return the photos as they all are in one generation: of its score, boots in even ones and chairs in odd ones."""
    word = "chair" if number % 2 else "boot"
    return [tagged(f"{at}.jpg", **{word: (number + 1) / 1000}) for at in range(PHOTOS)]


def seen_generation(newest: ExportReader) -> int:
    """Return the generation that a reader sees, who fails if it is not one and whole."""
    results = newest.searcher().search("boot OR chair", limit=PHOTOS + 1).results
    scores = {each.score for each in results}

    assert len(results) == PHOTOS
    assert len(scores) == 1
    words = {tag.keyword_id for each in results for tag in each.keywords}
    number = round(scores.pop() * 1000) - 1
    assert words == {"chair" if number % 2 else "boot"}
    return number


class AtomicTable(MemoryTable):
    """A table that is scanned between generations: what a scan sees of a change under way is no part of this."""

    def __init__(self) -> None:
        super().__init__()
        self.between = Lock()

    def scan(self):
        with self.between:
            return iter(list(self.records.values()))


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_a_reader_sees_whole_generations_in_their_order_whoever_writes_or_dies(tmp_path: Path, kind: str) -> None:
    seconds = count()

    def clock() -> datetime:
        return NOW + timedelta(seconds=next(seconds))

    files = MemoryFiles(clock=clock) if kind == "memory" else FolderFiles(tmp_path / "export", clock)
    killable = Killable(files, seed=7)
    shop = Shop(tmp_path, killable, AtomicTable())
    insist(lambda: write(shop, 0))
    insist(shop.export)
    over = Event()

    def read() -> int:
        reader, last, looks = Shop(tmp_path, files).newest(), 0, 0
        while not (over.is_set() and looks):
            number = seen_generation(reader)
            assert number >= last
            last, looks = number, looks + 1
        return looks

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        folder = pool.submit(export_and_fold, shop, over)
        try:
            for number in range(1, ROUNDS):
                insist(lambda number=number: write(shop, number))
        finally:
            over.set()
        assert min(reader.result() for reader in readers) > 0
        assert folder.result() > 0
    insist(shop.fold)

    assert killable.kills > 5
    assert seen_generation(Shop(tmp_path, files).newest()) == ROUNDS - 1


def write(shop: Shop, number: int) -> None:
    """Write a generation and record it in one batch; the batch comes again until it is recorded."""
    if not shop.stream:
        with shop.table.between:
            shop.put(*generation(number))
    batch = list(shop.stream)
    shop.recorder.record(batch)
    shop.stream.clear()


def export_and_fold(shop: Shop, over: Event) -> int:
    """Export and fold by turns, as often as there is time, and return how often that was done to the end."""
    done = 0
    while not (over.is_set() and done):
        for each in (shop.export, shop.fold):
            try:
                each()
            except RetryLater:
                continue
            done += 1
    return done


def insist(what) -> None:
    """Do it again until it is done, as whoever started it would."""
    while True:
        try:
            what()
        except RetryLater:
            continue
        return


# ---- Exporters that are really killed --------------------------------------------------------------------------------

EXPORT_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path

from pipeline.folder import FolderFiles
from tests.results_sink.changing import Shop
from tests.results_sink.test_readers import generation

root = Path(sys.argv[1])
shop = Shop(root / "work", FolderFiles(root / "export"))
for number in count():
    shop.put(*generation(number))
    shop.record()
    (shop.fold if number % 3 else shop.export)()
    if not number:
        print("begun", flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_process_that_is_killed_at_any_moment_leaves_a_whole_export_that_goes_on(tmp_path: Path, seed: int) -> None:
    """By SIGKILL, which nothing can catch; its files are written by a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    (tmp_path / "work").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", EXPORT_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as exporter:
        assert exporter.stdout is not None
        begun = exporter.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.4))
        exporter.kill()
    files = FolderFiles(tmp_path / "export")
    after = Shop(tmp_path / "after", files, now=NOW + timedelta(days=1))
    number = seen_generation(after.newest())

    assert (begun, exporter.returncode) == (b"begun\n", -signal.SIGKILL)
    assert number >= 0
    after.put(*generation(number + 1))
    after.export()
    assert seen_generation(after.newest()) == number + 1
