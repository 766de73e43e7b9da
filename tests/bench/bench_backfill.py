"""Search while ten million photos are loaded: what the real code costs is measured small, and then simulated in full.

Processor time is measured, of one core; the simulation is of four shards, one export function and one API function.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np

mpl.use("svg")

from matplotlib import pyplot as plt

from pipeline.clock import utc_now
from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from pipeline.stream import Change
from results_sink.export.changes import Recorder
from results_sink.export.export import Exporter
from results_sink.export.fold import LEAST_DELTAS, LONGEST_S, MOST_ROWS, NEXT_IS_LONGER, Folding
from results_sink.search.newest import MOST_CHANGED_ROWS, Newest
from results_sink.search.snapshot import InPlace
from tests.bench.made_up import SEED, MadeUpTable

PHOTOS, PHOTOS_PER_S, SHARDS, WINDOW_S = 10_000_000, 3_000, 4, 2
FOLD_EVERY_S = 180  # as the template's schedule has it
SIZES = (20_000, 60_000, 120_000)  # of snapshots that are measured, in photos
DELTAS = (10, 40)  # that are folded and opened over each
DELTA_ROWS = PHOTOS_PER_S * WINDOW_S // SHARDS
QUERIES = 200
PLOT = Path(__file__).resolve().parents[2] / "docs" / "backfill.svg"
GATEWAY_LIMIT_S = 30  # within which Amazon API Gateway wants an answer


@dataclass(frozen=True)
class Line:
    """A cost that grows with the photos of the snapshot and with the changed rows over it."""

    fixed: float
    per_photo: float
    per_row: float

    def at(self, photos: float, rows: float) -> float:
        """Return the cost for so many."""
        return self.fixed + self.per_photo * photos + self.per_row * rows

    @classmethod
    def through(cls, points: list[tuple[float, float, float]]) -> Line:
        """Return the line that fits photos, rows and cost best; no part of it is negative."""
        known = np.array([(1.0, photos, rows) for photos, rows, _ in points])
        fit = np.linalg.lstsq(known, np.array([cost for *_, cost in points]), rcond=None)[0]
        return cls(*(max(float(part), 0.0) for part in fit))


@dataclass(frozen=True)
class Costs:
    """What was measured: seconds of a fold, of a cold start, of a query (99 of 100); bytes in memory and a delta."""

    fold_s: Line
    open_s: Line
    query_s: Line
    memory_bytes: Line
    named_bytes: float


def resident_bytes() -> int:
    """Return the memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measure() -> Costs:
    """Measure the real code on small catalogues."""
    fold, opened, queried, memory = [], [], [], []
    named_bytes = 0.0
    for photos in SIZES:
        for deltas in DELTAS:
            with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
                root = Path(folder)
                files, vocabulary = FolderFiles(root / "export"), Vocabulary.load()
                ids = count()
                table = MadeUpTable(photos, 1, vocabulary)
                exporter = Exporter(table, files, vocabulary, lambda ids=ids: f"{next(ids):08x}", work=root)
                exporter.export()
                record_changes(files, table, photos, deltas)
                rows = deltas * DELTA_ROWS
                named_bytes = (root / "export" / "latest.json").stat().st_size / deltas
                cost = open_and_ask(files, vocabulary, table)
                opened.append((photos, rows, cost[0]))
                queried.append((photos, rows, cost[1]))
                memory.append((photos, rows, cost[2]))
                began = time.process_time()
                Folding(exporter, InPlace(files), least_deltas=1).fold()
                fold.append((photos, rows, time.process_time() - began))
                click.echo(f"{photos:>8,} photos {rows:>7,} rows: fold {fold[-1][2]:.2f} s, open {cost[0]:.2f} s")
    lines = (Line.through(points) for points in (fold, opened, queried, memory))
    return Costs(*lines, named_bytes)


def record_changes(files: FolderFiles, table: MadeUpTable, photos: int, deltas: int) -> None:
    """Record deltas of photos that change at random."""
    chance, ids = random.Random(SEED), count()
    recorder = Recorder(files, Vocabulary.load(), lambda: f"d{next(ids):07x}")
    for number in range(deltas):
        records = [replace(table.record(chance.randrange(photos), chance), revision=2) for _ in range(DELTA_ROWS)]
        changed_at = utc_now() + timedelta(minutes=5)
        recorder.record([Change(f"{number}{at:06d}", changed_at, record) for at, record in enumerate(records)])


def open_and_ask(files: FolderFiles, vocabulary: Vocabulary, table: MadeUpTable) -> tuple[float, float, float]:
    """Return seconds of a cold start with its first query, of the slowest in a hundred later ones, and bytes."""
    before, began = resident_bytes(), time.process_time()
    newest = Newest(files, InPlace(files), "the export", vocabulary, time.monotonic, lambda _: None)
    newest.searcher().search("footwear AND NOT boot")
    opened_s = time.process_time() - began
    chance, times = random.Random(SEED), []
    queries = [" ".join(f'"{word_of(word, vocabulary)}"' for word in table.words(chance)) for _ in range(QUERIES)]
    for query in queries:
        newest.searcher().search(query)  # the first time a word is asked for, it is read
    for query in queries:
        began = time.process_time()
        newest.searcher().search(query)
        times.append(time.process_time() - began)
    return opened_s, float(np.quantile(times, 0.99)), float(max(resident_bytes() - before, 0))


def word_of(keyword_id: str, vocabulary: Vocabulary) -> str:
    """Return the keyword's English name."""
    return vocabulary.nodes[keyword_id].name()


@dataclass(frozen=True)
class Policy:
    """How deltas are folded, and how many rows a search lays over the snapshot."""

    name: str
    every_s: int
    folds_on: bool
    most_rows: int
    most_changed_rows: float


POLICIES = (
    Policy("one fold in ten minutes, all changes in memory", 600, False, 300_000, float("inf")),
    Policy("folds follow each other, changes in memory bounded", FOLD_EVERY_S, True, MOST_ROWS, MOST_CHANGED_ROWS),
)


@dataclass(frozen=True)
class Moment:
    """The state of search at one second."""

    second: int
    photos: int
    rows: float
    waiting_rows: float
    age_s: float


def simulate(policy: Policy, costs: Costs) -> list[Moment]:
    """Return a moment for each second, from the first photo until all are in the snapshot."""
    recorded = snapshot = 0
    fold_ends_s, folding, call_began_s, last_took_s = 0.0, 0, -policy.every_s, 0.0
    moments = []
    second = 0
    while snapshot < PHOTOS and second < 4 * 3600:
        second += 1
        if second % WINDOW_S == 0:
            recorded = min(second * PHOTOS_PER_S, PHOTOS)
        if folding and second >= fold_ends_s:
            snapshot, folding = snapshot + folding, 0
        waiting = recorded - snapshot
        if not folding and waiting and (waiting >= LEAST_DELTAS * DELTA_ROWS or recorded == PHOTOS):
            if second % policy.every_s == 0:
                call_began_s, is_due = second, True
            else:
                left_s = call_began_s + LONGEST_S - second
                is_due = policy.folds_on and last_took_s * NEXT_IS_LONGER < left_s
            if is_due:
                folding = min(waiting, policy.most_rows)
                last_took_s = costs.fold_s.at(snapshot, folding)
                fold_ends_s = second + last_took_s
        rows = min(waiting, policy.most_changed_rows)
        newest_s = (snapshot + rows) / PHOTOS_PER_S
        moments.append(Moment(second, snapshot, rows, waiting, max(min(second, PHOTOS / PHOTOS_PER_S) - newest_s, 0)))
    return moments


def draw(results: dict[Policy, list[Moment]], costs: Costs) -> None:
    """Draw memory, cold start, query time and age of the answer over time."""
    mpl.rcParams["svg.hashsalt"] = "catalog-tagger"
    figure, panels = plt.subplots(4, 1, figsize=(8, 10), sharex=True)
    titles = (
        "memory of the API function, MB",
        "cold start with a first query, s of one core",
        "query, 99 of 100 within, ms",
        "the answer is this old, s",
    )
    for policy, every_second in results.items():
        moments = every_second[::15]
        minutes = [moment.second / 60 for moment in moments]
        ys = (
            [costs.memory_bytes.at(moment.photos, moment.rows) / 1e6 for moment in moments],
            [costs.open_s.at(moment.photos, moment.rows) for moment in moments],
            [costs.query_s.at(moment.photos, moment.rows) * 1e3 for moment in moments],
            [moment.age_s for moment in moments],
        )
        for panel, values in zip(panels, ys, strict=True):
            panel.plot(minutes, values, label=policy.name, linewidth=1.2)
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left", fontsize=10)
        panel.grid(alpha=0.3)
        panel.set_ylim(bottom=0)
    panels[1].axhline(GATEWAY_LIMIT_S, color="grey", linestyle=":", linewidth=1)
    panels[0].legend(frameon=False, fontsize=9)
    panels[-1].set_xlabel(f"minutes; {PHOTOS / 1e6:.0f} million photos at {PHOTOS_PER_S:,} a second")
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def report(results: dict[Policy, list[Moment]], costs: Costs) -> None:
    """Print what was measured and the worst moments of each policy."""
    for name in ("fold_s", "open_s", "query_s", "memory_bytes"):
        line = getattr(costs, name)
        click.echo(f"{name:<13} {line.fixed:.4g} + {line.per_photo:.4g} a photo + {line.per_row:.4g} a changed row")
    click.echo(f"latest.json   {costs.named_bytes:.0f} bytes a delta")
    for policy, moments in results.items():
        worst = max(moments, key=lambda moment: moment.waiting_rows)
        click.echo(f"{policy.name}: all in the snapshot after {moments[-1].second / 60:.0f} minutes")
        click.echo(
            f"  rows that wait   {worst.waiting_rows:,.0f} at most, {worst.waiting_rows / DELTA_ROWS:,.0f} deltas"
        )
        memory = max(costs.memory_bytes.at(moment.photos, moment.rows) for moment in moments)
        opened = max(costs.open_s.at(moment.photos, moment.rows) for moment in moments)
        query = max(costs.query_s.at(moment.photos, moment.rows) for moment in moments)
        click.echo(f"  memory {memory / 1e6:,.0f} MB, cold start {opened:.1f} s, query {query * 1e3:.1f} ms at most")
        click.echo(f"  age {max(moment.age_s for moment in moments):,.0f} s at most")


def main() -> None:
    """Measure, simulate, draw."""
    costs = measure()
    results = {policy: simulate(policy, costs) for policy in POLICIES}
    report(results, costs)
    draw(results, costs)
    click.echo(f"plot: {PLOT}")


if __name__ == "__main__":
    main()
