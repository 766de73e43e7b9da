"""Measures an export in segments: processor time and memory of each stage, by processes that do one step each.

``make bench-segments`` runs it for the sizes of docs/scale.md; ``python -m tests.bench.bench_segments 5_000_000x8x2``
for others, here of five million records in eight segments by two workers at once. It prints a line of JSON for each
stage. One segment is an export by one process. Making the records up is not counted.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from results_sink.export.export import Exporter
from results_sink.export.segments import SegmentedExport
from results_sink.export.step_files import Stage, Step
from tests.bench.made_up import MADE_SHARE, MadeUpTable


@dataclass(frozen=True, slots=True)
class Run:
    """How an export is measured."""

    records: int
    segments: int
    workers: int

    def export(self, root: Path) -> SegmentedExport:
        """Return the export into a folder."""
        vocabulary = Vocabulary.load()
        table = MadeUpTable(self.records, 1, vocabulary)
        files = FolderFiles(root / "export")
        exporter = Exporter(table, files, vocabulary, lambda: uuid4().hex[:8], work=root / "work")
        return SegmentedExport(exporter, table, self.segments)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a step took: seconds of a processor, and megabytes at the most."""

    cpu_s: float
    peak_mb: float


def spend(run: Run, root: Path, step: Step | None) -> Spent:
    """Do a step, or a whole export, and return what it took without making up the records that it reads."""
    export = run.export(root)
    segment = step.number if step else 0
    made_s = 0.0
    if step is None or step.stage is Stage.SCAN:
        began_s = time.process_time()
        for _ in islice(export.table.scan(segment, run.segments), run.records // run.segments // MADE_SHARE):
            pass
        made_s = (time.process_time() - began_s) * MADE_SHARE
    began_s = time.process_time()
    if step:
        export.run(step)
    else:
        export.exporter.export()
    cpu_s = time.process_time() - began_s - made_s
    return Spent(cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(run: Run, root: Path) -> None:
    """Export, and print a line for each stage."""
    stages = run.export(root).plan() if run.segments > 1 else ((None,),)
    for steps in stages:
        began_s = time.perf_counter()
        # A new process for each step, as its memory is to be seen.
        with ProcessPoolExecutor(run.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
            spent = list(pool.map(partial(spend, run, root), steps))
        cpu_s = sum(step.cpu_s for step in spent)
        line = {
            "records": run.records,
            "segments": run.segments,
            "workers": run.workers,
            "stage": steps[0].stage if steps[0] else "whole",
            "wall_s": round(time.perf_counter() - began_s, 1),
            "cpu_s": round(cpu_s, 1),
            "us_per_record": round(1e6 * cpu_s / run.records, 2),
            "longest_step_cpu_s": round(max(step.cpu_s for step in spent), 1),
            "peak_mb": round(max(step.peak_mb for step in spent)),
        }
        print(json.dumps(line), flush=True)


def main(runs: list[Run]) -> None:
    """Measure each, in a folder that is removed."""
    for run in runs:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("TMPDIR")) as root:
            measure(run, Path(root))


if __name__ == "__main__":
    main([Run(*map(int, text.split("x"))) for text in sys.argv[1:]])
