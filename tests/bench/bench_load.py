"""Measures the way in: `load` and `audit` of a bucket, through boto3, with a process that plays AWS.

``make bench-load`` runs it for 10 thousand, 100 thousand and a million images, and ``python -m tests.bench.bench_load``
for others. It prints a line of JSON for each. Processor time is that of the command alone; seconds by the clock depend
on how late the stub answers, as ``catalogue_stub`` says.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING

from catalog_loader.audit import Audit, Auditor
from catalog_loader.compare import Versions
from catalog_loader.load import Loaded, Loader, Plan
from catalog_loader.send import Sender
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.aws.sqs import SqsDeadLetters, SqsQueue
from pipeline.images import BucketPrefix
from pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX = BucketPrefix("shop", "catalogue/")


@contextmanager
def stub(images: int) -> Iterator[str]:
    """Give the address of AWS with so many images."""
    command = [sys.executable, "-m", "tests.bench.catalogue_stub", str(images)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


class Ports:
    """What the commands work on, over boto3 as they are wired."""

    def __init__(self, url: str) -> None:
        """Connect to the stub."""
        sqs = client("sqs", url)
        self.images, self.table = S3Images(client("s3", url)), DynamoTable(client("dynamodb", url), "table")
        self.queue = SqsQueue(sqs, f"{url}/000000000000/backfill")
        self.dead_letters = SqsDeadLetters(sqs, f"{url}/000000000000/dead", self.queue.url)


def load(ports: Ports) -> int:
    """Send a message for every image, and return how many were sent."""
    loaded = Loaded()
    with Progress("load", quiet=True) as progress:
        loader = Loader(ports.images, ports.table, Sender(ports.queue))
        loader.load(Plan(PREFIX, "20260101T000000Z-bench"), loaded, progress)
    return loaded.sent.count


def audit(ports: Ports) -> int:
    """Audit every image, and return how many are tagged as they should be."""
    counted = Audit()
    with Progress("audit", quiet=True) as progress:
        auditor = Auditor(ports.images, ports.table, [ports.queue], [ports.dead_letters])
        gaps = list(auditor.audit(PREFIX, Versions(), counted, progress))
    return 0 if gaps else counted.numbers()["tagged"]


def measure(work: Callable[[Ports], int], keys: int, url: str) -> dict[str, float | str]:
    """Do the work, and return what it took."""
    ports = Ports(url)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    assert work(ports) == keys
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return {
        "measure": work.__name__,
        "keys": keys,
        "cpu_s": round(cpu_s, 2),
        "us_per_key": round(1e6 * cpu_s / keys, 1),
        "keys_per_s": round(keys / wall_s),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main(sizes: list[int]) -> None:
    """Measure each size, each in a process of its own, as its memory is to be seen."""
    for keys in sizes:
        for work in (load, audit):
            with stub(keys) as url, get_context("spawn").Pool(1) as pool:
                print(json.dumps(pool.apply(measure, (work, keys, url))), flush=True)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]])
