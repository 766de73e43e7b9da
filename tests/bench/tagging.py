"""How fast one core tags, beside the bare decoder and the bare model: run by ``make bench``.

Each way is measured in a process of its own, pinned to one core, over the same photos; the ways take turns, and the
median of all rounds counts, so that a noisy neighbour hurts all alike. Ratios are those of one run, by processor time.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.bench.tables import bench_table, keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BytesIO

    from numpy.typing import NDArray

ROUNDS = 5
QUEUES = "http://127.0.0.1/000000000000/"  # nothing is sent to them, for nothing is retried
WARM_UP = 10  # images before the clock starts
# Over the same photos in a round, each time with other bytes behind them, so that none is known already. That often, a
# reader's start, 0.07 s when it is forked, hardly counts.
PASSES = 9
STORAGE_LATENCY_S = 0.030  # of each GetObject: chosen by us, as S3 answers within a region
TABLE_LATENCY_S = 0.005  # of each call of the table: chosen by us, as DynamoDB answers within a region


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one way."""

    images_per_s: float
    cpu_ms_per_image: float
    peak_mib: float

    @classmethod
    def median(cls, rounds: list[Measured]) -> Measured:
        """Return the median of each figure."""
        return cls(*(statistics.median(values) for values in zip(*map(astuple, rounds), strict=True)))


def photos() -> list[Path]:
    """Return the sample catalogue's photos."""
    from pipeline.settings import home

    return sorted((home() / "sample-catalogue").glob("*.jpg"))


def copies(folder: Path, passes: int) -> list[Path]:
    """Return the photos many times over, each copy with other bytes behind the picture."""
    for number in range(passes):
        for photo in photos():
            (folder / f"{number}-{photo.name}").write_bytes(photo.read_bytes() + bytes([number]))
    return sorted(folder.iterdir())


def bare_pixels(file: Path | BytesIO) -> NDArray[Any]:
    """Return float32 [3, 224, 224] in RGB, levels of 0 to 255: the fastest way of Pillow."""
    import numpy as np
    from PIL import Image

    picture = Image.open(file)
    picture.draft("RGB", (256, 256))
    side = min(picture.size) * 224 / 256
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    small = picture.resize((224, 224), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    return np.asarray(small.convert("RGB"), np.float32).transpose(2, 0, 1)


def bare(paths: list[Path], batch: int) -> Iterator[Callable[[list[Path]], None]]:
    """The ceiling: the fastest way of Pillow, and the model with nothing around it, one after the other."""
    import numpy as np
    import onnxruntime as ort

    from pipeline.settings import model_dir
    from tagging_lambda.model_card import ModelCard

    card = ModelCard.load(model_dir() / "card.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model_dir() / card.file(card.served).name), options)

    def run(some: list[Path]) -> None:
        for start in range(0, len(some), batch):
            stacked = np.stack([bare_pixels(path) for path in some[start : start + batch]])
            session.run(None, {card.input.name: stacked})

    yield run


def loop(paths: list[Path], batch: int) -> Iterator[Callable[[list[Path]], None]]:
    """A reader's first try: onnxruntime as its documentation shows it, batches, and the top five."""
    import numpy as np
    import onnxruntime as ort
    from PIL import Image, ImageOps

    from pipeline.settings import model_dir
    from tagging_lambda.model_card import ModelCard

    card = ModelCard.load(model_dir() / "card.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model_dir() / card.file(card.served).name), options)

    def run(some: list[Path]) -> None:
        for start in range(0, len(some), batch):
            pictures = [Image.open(path).convert("RGB") for path in some[start : start + batch]]
            fitted = [ImageOps.fit(picture, (224, 224), Image.Resampling.BILINEAR) for picture in pictures]
            stacked = np.stack([np.asarray(picture, np.float32) for picture in fitted]).transpose(0, 3, 1, 2)
            (logits,) = session.run([card.output.logits], {card.input.name: np.ascontiguousarray(stacked)})
            np.argsort(logits, axis=1)[:, -5:]

    yield run


def tag_path(paths: list[Path], workers: int) -> Iterator[Callable[[list[Path]], None]]:
    """``tag PATH``: its reader processes, the model, the keywords."""
    from pipeline.keywords import Vocabulary
    from pipeline.settings import model_dir
    from tagging_lambda.tag_files import FileTagger
    from tagging_lambda.words.heads import Head
    from tagging_lambda.words.projection import STARTER

    tagger = FileTagger.load(model_dir(), Vocabulary.load(), workers, (Head.load(STARTER),))
    yield lambda some: list(tagger.tag(some))


def handler(paths: list[Path], batch: int) -> Iterator[Callable[[list[Path]], None]]:
    """The tagging handler as it is deployed; S3 and DynamoDB are a process that answers as late as AWS."""
    from pipeline.images import ImageRef
    from pipeline.messages import TagImage
    from pipeline.settings import model_dir

    folder = str(paths[0].parent)
    others = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the stub is not to take this core's time
    command = [sys.executable, "-m", "tests.bench.aws_stub", folder, str(STORAGE_LATENCY_S), str(TABLE_LATENCY_S)]
    stub = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    atexit.register(stub.kill)  # however this process ends
    _NOT_COUNTED.add(stub.pid)
    os.sched_setaffinity(0, others)
    os.environ |= {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stub.stdout.readline().strip()}",
        "TABLE_NAME": "table",
        "MODEL_DIR": str(model_dir()),
        "DOWNLOADS": "10",
        **dict.fromkeys(("UPLOADS_QUEUE_URL", "BACKFILL_QUEUE_URL"), f"{QUEUES}uploads"),
        **dict.fromkeys(("UPLOADS_DEAD_LETTER_QUEUE_URL", "BACKFILL_DEAD_LETTER_QUEUE_URL"), f"{QUEUES}dead"),
    }
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the metrics are printed, as the function prints them
    from tagging_lambda import lambda_tag

    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)

    def run(some: list[Path]) -> None:
        for start in range(0, len(some), batch):
            bodies = [TagImage(ImageRef("shop", path.name)).encode() for path in some[start : start + batch]]
            records = [
                {
                    "messageId": str(number),
                    "receiptHandle": str(number),
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:uploads",
                }
                for number, body in enumerate(bodies)
            ]
            answer = lambda_tag.handler({"Records": records}, context)
            if answer["batchItemFailures"]:
                raise RuntimeError("an image was sent back")

    yield run
    lambda_tag.reader.close()


_NOT_COUNTED: set[int] = set()  # processes whose time and memory are not the product's
CEILINGS = {f"bare decode + bare int8 model, batches of {batch}": partial(bare, batch=batch) for batch in (1, 2, 4, 8)}
TWO_CORES = "tag PATH, two cores"
WAYS = CEILINGS | {
    "onnxruntime loop, batches of 8": partial(loop, batch=8),
    "tag PATH": partial(tag_path, workers=1),
    TWO_CORES: partial(tag_path, workers=2),
    "handler over HTTP, batches of 10": partial(handler, batch=10),
    "handler over HTTP, batches of 50": partial(handler, batch=50),
}


def measure_here(way: str, passes: int) -> Measured:
    """Run one round in this process, on its first core or two."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: 2 if way == TWO_CORES else 1])
    with tempfile.TemporaryDirectory() as folder:
        paths = copies(Path(folder), passes)
        steps = WAYS[way](paths)
        run = next(steps)
        run(paths[:WARM_UP])
        paths = paths[WARM_UP:]
        started_s, cpu_s = time.perf_counter(), _cpu_s()
        run(paths)
        elapsed_s = time.perf_counter() - started_s
        # Readers of tag PATH have ended by now, and count among the ended children.
        peak_mib, count, spent_s = _peak_mib(), len(paths), _cpu_s() - cpu_s
        next(steps, None)
    return Measured(count / elapsed_s, spent_s / count * 1000, peak_mib)


def _cpu_s() -> float:
    """Return the CPU time of this process and its children, running ones too, in seconds."""
    import psutil

    own = psutil.Process()
    counted = [child for child in own.children() if child.pid not in _NOT_COUNTED]
    times = [own.cpu_times(), *(child.cpu_times() for child in counted)]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.user + each.system for each in times) + ended.ru_utime + ended.ru_stime


def _peak_mib() -> float:
    """Return the most memory that this process and its children ever had, added up, in MiB."""
    import psutil

    pids = [os.getpid(), *({child.pid for child in psutil.Process().children()} - _NOT_COUNTED)]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Print the table, or measure the one way that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--passes", type=int, default=PASSES, help="over the sample catalogue, in a round")
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    arguments = parser.parse_args()
    if arguments.way:
        stdout = sys.stdout
        print(json.dumps(astuple(measure_here(arguments.way, arguments.passes))), file=stdout)
        return
    prepare()
    rounds: dict[str, list[Measured]] = {way: [] for way in WAYS}
    for number in range(arguments.rounds):
        for way, measured in rounds.items():
            print(f"round {number + 1} of {arguments.rounds}: {way}", file=sys.stderr)
            command = [sys.executable, "-m", "tests.bench.tagging", "--passes", str(arguments.passes), "--way", way]
            measured.append(Measured(*json.loads(subprocess.run(command, check=True, capture_output=True).stdout)))
    medians = {way: Measured.median(measured) for way, measured in rounds.items()}
    count = (len(photos()) * arguments.passes) - WARM_UP
    figures = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "photos": count,
        "rounds": arguments.rounds,
    }
    figures |= {"ways": {way: asdict(measured) for way, measured in medians.items()}}
    print(f"{machine()}; {count} photos, median of {arguments.rounds} rounds\n")
    print(*bench_table(figures), sep="\n")
    keep(figures, arguments.json)


def prepare() -> None:
    """Build the model where it is not there yet."""
    from infra.model.build import ModelBuilder
    from infra.model.npm import Npm
    from pipeline.settings import home, model_dir

    ModelBuilder(home(), model_dir(), Npm(), lambda line: print(line, file=sys.stderr)).build()


def processor() -> str:
    """Return the processor's name and generation."""
    first, _, _ = Path("/proc/cpuinfo").read_text().partition("\n\n")
    known = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    name = known.get("model name", platform.machine())
    # Cloud machines hide the rest of the name: family 25 of AMD is Zen 3 and 4, 26 is Zen 5.
    return f"{name} of family {known['cpu family']}" if "cpu family" in known else name


def machine() -> str:
    """Return what this was measured on: processor, Python, libraries."""
    vnni = "VNNI" if "vnni" in Path("/proc/cpuinfo").read_text() else "no VNNI"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "pillow", "numpy"))
    return f"{processor()}, {vnni}, Python {platform.python_version()}, {libraries}"


if __name__ == "__main__":
    main()
