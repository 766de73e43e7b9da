"""How fast one core tags, beside the bare decoder and the bare model: run by ``make bench``.

Each way is measured in a process of its own, pinned to one core, over the same photos; the ways take turns, and the
median of all rounds counts, so that a noisy neighbour hurts all alike. Ratios are those of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
WARM_UP = 10  # images before the clock starts
PASSES = 6  # over the same photos in a round, each time with other bytes behind them, so that none is known already
STORAGE_LATENCY_S = 0.030  # of each fetch from the twin: chosen by us, as S3 answers within a region
TABLE_LATENCY_S = 0.005  # of each call of the twin: chosen by us, as DynamoDB answers within a region


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one way."""

    images_per_s: float
    cpu_ms_per_image: float
    peak_mib: float


def photos() -> list[Path]:
    """Return the sample catalogue's photos."""
    from pipeline.settings import home

    return sorted((home() / "sample-catalogue").glob("*.jpg"))


def copies(folder: Path) -> list[Path]:
    """Return the photos many times over, each copy with other bytes behind the picture."""
    for number in range(PASSES):
        for photo in photos():
            (folder / f"{number}-{photo.name}").write_bytes(photo.read_bytes() + bytes([number]))
    return sorted(folder.iterdir())


def bare(paths: list[Path]) -> Iterator[Callable[[list[Path]], None]]:
    """The ceiling: the fastest way of Pillow, and the model with nothing around it, one after the other."""
    import numpy as np
    import onnxruntime as ort
    from PIL import Image

    from pipeline.settings import model_dir
    from tagging_lambda.model_card import ModelCard

    card = ModelCard.load(model_dir() / "card.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model_dir() / card.file(card.served).name), options)

    def one(path: Path) -> None:
        picture = Image.open(path)
        picture.draft("RGB", (256, 256))
        side = min(picture.size) * 224 / 256
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        small = picture.resize((224, 224), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
        pixels = np.asarray(small.convert("RGB"), np.float32).transpose(2, 0, 1)[None]
        session.run(None, {card.input.name: np.ascontiguousarray(pixels)})

    yield lambda some: [one(path) for path in some]


def tag_path(paths: list[Path]) -> Iterator[Callable[[list[Path]], None]]:
    """``tag PATH --workers 1``: its reader process, the model, the keywords."""
    from pipeline.keywords import Vocabulary
    from pipeline.settings import model_dir
    from tagging_lambda.local_files import FileTagger

    tagger = FileTagger.load(model_dir(), Vocabulary.load(), workers=1)
    yield lambda some: list(tagger.tag(some))


def handler(paths: list[Path], batch: int, late: bool) -> Iterator[Callable[[list[Path]], None]]:
    """The tagging handler, storage and table played by twins, which answer at once or as late as AWS."""
    from pipeline.images import ImageRef
    from pipeline.keywords import Vocabulary
    from pipeline.memory.images import MemoryImages
    from pipeline.memory.table import MemoryTable
    from pipeline.messages import TagImage
    from pipeline.settings import DEFAULT_PRODUCT_PATTERN, ProductPattern, model_dir
    from pipeline.telemetry import make_logger, make_metrics
    from tagging_lambda.classification_cache import ClassificationCache
    from tagging_lambda.classify import Classifier
    from tagging_lambda.disposition import BackOff
    from tagging_lambda.image.reader import ProcessReader
    from tagging_lambda.reconcile import Reconciler
    from tagging_lambda.tag import Redeliverer, make_handler
    from tagging_lambda.words.heads import Head
    from tagging_lambda.words.keyword_mapper import KeywordMapper
    from tagging_lambda.words.projection import STARTER

    class LateImages(MemoryImages):
        def fetch(self, image, known_etag, limit_bytes):
            time.sleep(STORAGE_LATENCY_S * late)
            return super().fetch(image, known_etag, limit_bytes)

    class LateTable(MemoryTable):
        def get_many(self, images):
            time.sleep(TABLE_LATENCY_S * late)
            return super().get_many(images)

        def put(self, record, seen_revision):
            time.sleep(TABLE_LATENCY_S * late)
            super().put(record, seen_revision)

    images = LateImages()
    for path in paths:
        images.put(ImageRef("shop", path.name), path.read_bytes())
    classifier = Classifier.load(model_dir() / "card.json")
    reader = ProcessReader(classifier.card.input)
    observation = Reconciler(
        images=images,
        table=LateTable(),
        cache=ClassificationCache(
            reader, classifier, most=0
        ),  # a photo that comes again is looked at as if it were new
        mapper=KeywordMapper.of(
            Vocabulary.load(), [each.id for each in classifier.card.classes], (Head.load(STARTER),)
        ),
        products=ProductPattern.parse(DEFAULT_PRODUCT_PATTERN),
        clock=lambda: datetime.now(UTC),
        pool=ThreadPoolExecutor(10),
    )
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the metrics are printed, as the function prints them
    logger = make_logger("bench")
    handle = make_handler(observation, Redeliverer({}, BackOff(), logger), logger, make_metrics("bench"))
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)

    def run(some: list[Path]) -> None:
        for at in range(0, len(some), batch):
            bodies = [TagImage(ImageRef("shop", path.name)).encode() for path in some[at : at + batch]]
            observation.table.records.clear()
            records = [
                {
                    "messageId": str(n),
                    "receiptHandle": str(n),
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:uploads",
                }
                for n, body in enumerate(bodies)
            ]
            answer = handle({"Records": records}, context)
            if answer["batchItemFailures"]:
                raise RuntimeError("an image was sent back")

    yield run
    reader.close()


WAYS = {
    "bare decode + bare int8 model": bare,
    "tag PATH": tag_path,
    "handler, batches of 10, storage at once": partial(handler, batch=10, late=False),
    "handler, batches of 10, storage 30 ms late": partial(handler, batch=10, late=True),
    "handler, batches of 50, storage 30 ms late": partial(handler, batch=50, late=True),
}


def measure_here(way: str) -> Measured:
    """Run one round in this process, on its first core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        paths = copies(Path(folder))
        steps = WAYS[way](paths)
        run = next(steps)
        run(paths[:WARM_UP])
        paths = paths[WARM_UP:]
        started_s, cpu_s = time.perf_counter(), _cpu_s()
        run(paths)
        elapsed_s = time.perf_counter() - started_s
        peak_mib, count = _peak_mib(), len(paths)
        next(steps, None)
    return Measured(count / elapsed_s, (_cpu_s() - cpu_s) / count * 1000, peak_mib)


def _cpu_s() -> float:
    """Return the CPU time of this process and its children, running ones too, in seconds."""
    import psutil

    own = psutil.Process()
    times = [own.cpu_times(), *(child.cpu_times() for child in own.children())]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.user + each.system for each in times) + ended.ru_utime + ended.ru_stime


def _peak_mib() -> float:
    """Return the most memory that this process and its children ever had, added up, in MiB."""
    import psutil

    pids = [os.getpid(), *(child.pid for child in psutil.Process().children())]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Print the table, or measure the one way that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    if asked.way:
        stdout = sys.stdout
        measured = measure_here(asked.way)
        print(json.dumps([measured.images_per_s, measured.cpu_ms_per_image, measured.peak_mib]), file=stdout)
        return
    _prepare()
    rounds: dict[str, list[Measured]] = {way: [] for way in WAYS}
    for number in range(asked.rounds):
        for way, found in rounds.items():
            print(f"round {number + 1} of {asked.rounds}: {way}", file=sys.stderr)
            command = [sys.executable, "-m", "tests.bench.tagging", "--way", way]
            found.append(Measured(*json.loads(subprocess.run(command, check=True, capture_output=True).stdout)))
    _print(rounds)


def _prepare() -> None:
    from infra.model.build import ModelBuilder
    from infra.model.npm import Npm
    from pipeline.settings import home, model_dir

    ModelBuilder(home(), model_dir(), Npm(), lambda line: print(line, file=sys.stderr)).build()


def _print(rounds: dict[str, list[Measured]]) -> None:
    print(f"{_machine()}; {len(photos())} photos, median of {len(next(iter(rounds.values())))} rounds, one core\n")
    print("| what | images/s | CPU ms/image | of the ceiling | peak memory |")
    print("|---|---|---|---|---|")
    ceiling = statistics.median(each.images_per_s for each in rounds["bare decode + bare int8 model"])
    for way, found in rounds.items():
        rate, cpu, peak = (
            statistics.median(getattr(each, name) for each in found)
            for name in ("images_per_s", "cpu_ms_per_image", "peak_mib")
        )
        print(f"| {way} | {rate:.1f} | {cpu:.1f} | {rate / ceiling:.2f} | {peak:,.0f} MiB |")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "")
    vnni = "VNNI" if "vnni" in flags else "no VNNI"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "pillow", "numpy"))
    return f"{name}, {vnni}, Python {platform.python_version()}, {libraries}"


if __name__ == "__main__":
    main()
