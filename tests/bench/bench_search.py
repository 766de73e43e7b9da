"""Measures the way out: export, fold, and queries of two words beside other ways to answer them.

``make bench-search`` runs it for 10 thousand, 100 thousand and a million products of one photo each;
``python -m tests.bench.bench_search 1_000_000x3`` for others, here of three photos each. It prints a line of JSON for
each measurement.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path

from pipeline.clock import utc_now
from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from pipeline.stream import Change
from results_sink.export.changes import Recorder
from results_sink.export.export import Exporter
from results_sink.export.fold import Folding
from results_sink.search.newest import REFRESH_S
from results_sink.search.snapshot import InPlace
from tests.bench.made_up import MADE_SHARE, SEED, MadeUpTable
from tests.bench.search_ways import WAYS, Ours, forget, size_bytes

QUERIES = 300
PASS_S = 60  # a way that needs longer for all queries is asked fewer
Size = tuple[int, int]  # products, and photos of each
KEPT_BYTES = {"MALLOC_TRIM_THRESHOLD_": 536_870_912, "MALLOC_MMAP_THRESHOLD_": 268_435_456}  # as in the template
MOST_PHOTOS = 1_000_000  # of which other ways' indexes, folds and changes are measured: beyond it they would take hours
DELTAS, CHANGED_SHARE = 20, 0.01
QUERIES_PER_S = 10  # while changes come, chosen by us: one query in twenty is the first after a delta


def exporter_of(table: MadeUpTable, export: Path) -> Exporter:
    """Return what exports the table into the folder."""
    return Exporter(table, FolderFiles(export), Vocabulary.load(), lambda: "bench", work=export.parent)


def measure_export(size: Size, export: Path) -> dict[str, float]:
    """Export a catalogue, and return the processor time without that of making it up."""
    table = MadeUpTable(*size, Vocabulary.load())
    began_s = time.process_time()
    for _ in islice(table.scan(), size[0] * size[1] // MADE_SHARE):
        pass
    made_s = (time.process_time() - began_s) * MADE_SHARE
    idle_mb = _peak_mb()
    began_s = time.process_time()
    manifest = exporter_of(table, export).export().manifest
    cpu_s, rows = time.process_time() - began_s - made_s, manifest.counts.rows
    return {
        "photos": rows,
        "postings": sum(part.rows for part in manifest.postings),
        "cpu_s": round(cpu_s, 2),
        "photos_per_cpu_s": round(rows / cpu_s),
        "peak_mb": round(_peak_mb()),
        "peak_mb_before": round(idle_mb),
        "bytes_per_photo": round(size_bytes(export) / rows, 1),
    }


class Changing:
    """Photos of a catalogue change at random: one in a hundred in ``DELTAS`` deltas."""

    def __init__(self, size: Size, export: Path) -> None:
        self.table, self._chance = MadeUpTable(*size, Vocabulary.load()), random.Random(SEED + 1)
        self._photos = size[0] * size[1]
        self.rows = max(1, int(self._photos * CHANGED_SHARE) // DELTAS)
        self._recorder = Recorder(FolderFiles(export), Vocabulary.load(), lambda: "bench")
        self._recorded = 0

    def record(self) -> None:
        """Make one delta."""
        self._recorded += 1
        ats = [self._chance.randrange(self._photos) for _ in range(self.rows)]
        records = [self.table.record(at, self._chance) for at in ats]
        told = utc_now() + timedelta(days=1)  # after any export of before
        self._recorder.record([Change(f"{self._recorded}{at:09d}", told, each) for at, each in enumerate(records)])


def measure_changing(size: Size, export: Path, per_product: bool) -> dict[str, float | str]:
    """Ask while changes come: one photo in a hundred is laid over, and a delta more every two seconds.

    Ten queries are asked a second, by a clock of their own; what recording the deltas takes is not counted.
    """
    vocabulary, changing, asked = Vocabulary.load(), Changing(size, export), count()
    for _ in range(DELTAS):
        changing.record()
    way = Ours(export, vocabulary, export, per_product=per_product, clock_s=lambda: next(asked) / QUERIES_PER_S)
    pairs = _pairs(vocabulary, QUERIES)
    _asked(way, pairs)
    times, after_a_delta = [], []
    for number, pair in enumerate(pairs):
        is_new = number % int(QUERIES_PER_S * REFRESH_S) == 0
        if is_new:
            changing.record()
            asked = count(next(asked) + int(QUERIES_PER_S * REFRESH_S))
        times.append(_ask(way, pair))
        after_a_delta += [times[-1]] * is_new
    return {
        "way": f"{way.name}{', by product' if per_product else ''}, while changes come",
        **_quantiles("warm", [each.wall_ms for each in times]),
        **_quantiles("warm_cpu", [each.cpu_ms for each in times]),
        "after_a_delta_cpu_p50_ms": round(statistics.median(each.cpu_ms for each in after_a_delta), 2),
        "after_a_delta_cpu_max_ms": round(max(each.cpu_ms for each in after_a_delta), 2),
        "changed_photos_of_a_delta": changing.rows,
        "queries": len(times),
        "peak_mb": round(_peak_mb()),
    }


def measure_fold(size: Size, export: Path) -> dict[str, float]:
    """Change one photo in a hundred, in twenty deltas, and fold them."""
    changing = Changing(size, export)
    began_s = time.perf_counter()
    for _ in range(DELTAS):
        changing.record()
    recorded_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    folded = Folding(exporter_of(changing.table, export), InPlace(FolderFiles(export))).fold()
    folded_s = time.perf_counter() - began_s
    assert folded is not None
    return {
        "changed": DELTAS * changing.rows,
        "recorded_per_s": round(DELTAS * changing.rows / recorded_s),
        "fold_s": round(folded_s, 1),
        "photos_per_s": round(folded.manifest.counts.rows / folded_s),
        "peak_mb": round(_peak_mb()),
    }


def measure_way(size: Size, export: Path, number: int) -> dict[str, float | str]:
    """Build one way's index, ask it, and say how long both took."""
    vocabulary, work = Vocabulary.load(), export.parent / "index"
    forget(work)
    work.mkdir()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    way = WAYS[number](export, vocabulary, work)
    built_s = time.perf_counter() - began_s
    pairs = _pairs(vocabulary, QUERIES)
    before_bytes = _read_bytes()
    first_ms = _ask(way, pairs[0]).wall_ms
    opened_cpu_s = time.process_time() - began_cpu_s
    first_bytes = _read_bytes() - before_bytes
    before_bytes = _read_bytes()
    cold = _asked(way, pairs)
    read_bytes = (_read_bytes() - before_bytes) / len(cold)
    warm = _asked(way, pairs)
    forget(work)
    return {
        "way": way.name,
        "built_s": round(built_s, 2),
        "size_mb": round(way.size_bytes / 1e6, 1),
        "first_ms": round(first_ms, 1),
        "opened_cpu_s": round(opened_cpu_s, 2),
        "first_read_kb": round(first_bytes / 1e3),
        **_quantiles("cold", [each.wall_ms for each in cold]),
        "read_kb_per_query": round(read_bytes / 1e3),
        **_quantiles("warm", [each.wall_ms for each in warm]),
        **_quantiles("warm_cpu", [each.cpu_ms for each in warm]),
        "queries": len(warm),
        "median_found": statistics.median(each.found for each in warm),
        "peak_mb": round(_peak_mb()),
    }


def _pairs(vocabulary: Vocabulary, wanted: int) -> list[tuple[str, str]]:
    chance, table = random.Random(SEED), MadeUpTable(1, 1, vocabulary)
    return [table.words(chance) for _ in range(wanted)]


@dataclass(frozen=True, slots=True)
class Asked:
    """How long a query took, by the clock and on the processor, and how much it found."""

    wall_ms: float
    cpu_ms: float
    found: int


def _ask(way, pair: tuple[str, str]) -> Asked:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    found = way.ask(pair)
    return Asked(1000 * (time.perf_counter() - began_s), 1000 * (time.process_time() - began_cpu_s), found)


def _asked(way, pairs: list[tuple[str, str]]) -> list[Asked]:
    """Ask all of these, or as many as there is time for: two at least."""
    until_s, asked = time.perf_counter() + PASS_S, []
    for pair in pairs:
        if len(asked) > 1 and time.perf_counter() > until_s:
            break
        asked.append(_ask(way, pair))
    return asked


def _quantiles(name: str, times_ms: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times_ms, n=100)
    return {f"{name}_p50_ms": round(cuts[49], 2), f"{name}_p99_ms": round(cuts[98], 2)}


def _read_bytes() -> int:
    """Return how many bytes this process has read so far, from the disk or from what the system keeps of it."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(sizes: list[Size]) -> None:
    """Measure each size, each measurement in a process of its own, which keeps memory as the API's function does."""
    os.environ |= {name: str(value) for name, value in KEPT_BYTES.items()}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("TMPDIR")) as work:
        for size in sizes:
            export = Path(work) / "x".join(map(str, size)) / "export"
            _measured(measure_export, size, export)
            is_large = size[0] * size[1] > MOST_PHOTOS
            for number, way in enumerate(WAYS):
                if issubclass(way, Ours) or not is_large:
                    _measured(measure_way, size, export, number)
            if is_large:
                continue
            _measured(measure_fold, size, export)
            for per_product in (False, True):
                _measured(measure_changing, size, export, per_product)


def _measured(measure, size: Size, export: Path, *more: int) -> None:
    with get_context("spawn").Pool(1) as pool:
        said = pool.apply(measure, (size, export, *more))
    about = {"measure": measure.__name__, "products": size[0], "photos_of_a_product": size[1]}
    print(json.dumps({**about, **said}), flush=True)


def _size(text: str) -> Size:
    products, _, photos = text.partition("x")
    return int(products), int(photos or 1)


if __name__ == "__main__":
    main([_size(text) for text in sys.argv[1:] or ("10_000", "100_000", "1_000_000")])
