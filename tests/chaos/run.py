"""The chaos run: a disorderly shop, an injured network, killed workers, and at the end every image in one right end.

``python -m tests.chaos.run --seed 1 --size 10000`` puts 10,000 images and sends 100,000 messages. The numbers of a run
are printed; the seed of one that fails is kept in the project's home, with everything that was wrong.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

from infra.package import ROOT
from pipeline.aws.clients import client
from pipeline.progress import Progress
from pipeline.settings import home, model_dir
from pipeline.telemetry import Metric
from tests.chaos.deployment import VISIBILITY_S, Deployed, deployed, depth
from tests.chaos.gaps import judge_gaps
from tests.chaos.shop import Delete, DisorderlyShop, Put, Send, hostile_files, real_pictures
from tests.chaos.verdict import SHOWN_PROBLEMS, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.shop import Event

HANDS = 4  # things that happen at the same time
BACKLOG = 1500  # messages; the emulator's queue goes through all of them for each one
DEPTH_EVERY = 50  # events
KILL_EVERY_S = (2.0, 7.0)
GROWN_UP_CPU_S = 0.6  # a start takes 0.4; the emulator ends all siblings of a worker that dies in it
DRAIN_LIMIT_S = 600  # of quiet without end: then something is stuck
POLL_S = 0.5


@dataclass
class Killed:
    """How many processes were ended with SIGKILL, by what they were."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Told:
    """What the driver did, counted as it was done."""

    events: Counter[str] = field(default_factory=Counter)
    bad_bodies: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, event: Event, *, is_repeated: bool) -> None:
        """Count the event."""
        with self.lock:
            if isinstance(event, Send) and event.is_bad:
                self.events["bad messages"] += 1
                self.bad_bodies.append(event.body)
            elif isinstance(event, Send):
                self.events["messages sent again" if is_repeated else "messages sent"] += 1
            else:
                self.events["objects put" if isinstance(event, Put) else "objects deleted"] += 1


@dataclass(frozen=True)
class Driver:
    """Makes the events happen."""

    here: Deployed
    shop: DisorderlyShop
    told: Told
    quiet: bool

    def run(self) -> None:
        """Let everything happen, a few things at a time, and never much faster than it is worked off."""
        events = zip(itertools.count(), self.shop.events())
        taking, stopped, seen = threading.Lock(), threading.Event(), set[str]()
        with Progress("chaos", total=self.shop.messages, unit="events", quiet=self.quiet) as progress:

            def hand() -> None:
                s3, sqs = client("s3", self.here.endpoint_url), client("sqs", self.here.endpoint_url)
                while True:
                    with taking:
                        number, event = next(events, (None, None))
                        if number is None or stopped.is_set():
                            return
                        is_repeated = isinstance(event, Send) and event.body in seen
                        seen.add(event.body if isinstance(event, Send) else "")
                        progress.step()
                    if number % DEPTH_EVERY == 0:
                        while depth(sqs, self.here)[0] > min(BACKLOG, self.shop.size) and not stopped.is_set():
                            time.sleep(POLL_S)
                    self.told.note(event, is_repeated=is_repeated)
                    self._happen(event, s3, sqs)

            with ThreadPoolExecutor(HANDS) as pool:
                try:
                    for ended in [pool.submit(hand) for _ in range(HANDS)]:
                        ended.result()
                finally:
                    stopped.set()

    def _happen(self, event: Event, s3, sqs) -> None:
        match event:
            case Put():
                s3.put_object(Bucket=self.shop.bucket, Key=event.key, Body=event.data)
            case Delete():
                s3.delete_object(Bucket=self.shop.bucket, Key=event.key)
            case Send():
                stack = self.here.stack
                url = stack.uploads_queue_url if event.to_uploads else stack.backfill_queue_url
                sqs.send_message(QueueUrl=url, MessageBody=event.body)

    def wait(self, reached: Callable[[int, int], bool]) -> float:
        """Wait until the messages that wait, and those being worked on, are so, and return the seconds that took."""
        sqs, begun_s = client("sqs", self.here.endpoint_url), time.monotonic()
        while not reached(*depth(sqs, self.here)):
            if time.monotonic() - begun_s > DRAIN_LIMIT_S:
                raise TimeoutError(f"{depth(sqs, self.here)} messages wait and are worked on after {DRAIN_LIMIT_S} s")
            time.sleep(POLL_S)
        return time.monotonic() - begun_s


@contextmanager
def killing(here: Deployed, seed: int) -> Iterator[Killed]:
    """Kill workers, and readers of theirs, again and again, in the middle of whatever they do."""
    killed, over, chance = Killed(), threading.Event(), random.Random(seed)

    def kill() -> None:
        wait_s = chance.uniform(*KILL_EVERY_S)
        while not over.wait(wait_s):
            readers, workers = processes(here)
            is_reader = not workers or (readers and chance.random() < 0.3)
            what, found = ("readers", readers) if is_reader else ("workers", workers)
            wait_s = chance.uniform(*KILL_EVERY_S) if found else POLL_S  # a short run must not end before any is grown
            if found:
                try:
                    chance.choice(found).kill()
                except psutil.NoSuchProcess:
                    continue
                killed.counts[what] += 1

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def processes(here: Deployed) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return the readers and the workers that the emulator has started; nobody else's."""
    readers, workers = [], []
    for worker in psutil.Process(here.pid).children():
        try:
            times = worker.cpu_times()
            if times.user + times.system > GROWN_UP_CPU_S:
                workers.append(worker)
                readers += worker.children()
        except psutil.NoSuchProcess:
            continue
    return readers, workers


def metrics(here: Deployed) -> Counter[str]:
    """Return the sums of what the functions counted, as far as they lived to tell it, and how often each was told."""
    sums: Counter[str] = Counter()
    with here.log.open(encoding="utf-8", errors="replace") as log:
        for line in log:
            if line.startswith('{"_aws"'):
                values = {name: value for name, value in json.loads(line).items() if isinstance(value, list)}
                sums.update({name: sum(value) for name, value in values.items()})
                sums.update({f"{name} told": len(value) for name, value in values.items()})
    return sums


def chaos(  # noqa: PLR0913 - what a run can be told
    seed: int, size: int, folder: Path, *, is_real: bool = False, is_everywhere: bool = False, quiet: bool = False
) -> Ran:
    """Carry out one run and return what was done and found.

    ``is_real`` is with the real model and photos of the sample catalogue, and hostile files where they are at hand.
    """
    with deployed(folder, seed, model_dir() if is_real else None, is_everywhere=is_everywhere) as here:
        begun_s = time.monotonic()
        good = real_pictures(home() / "sample-catalogue") if is_real else []
        bad = hostile_files(ROOT.parent / "shared" / "data" / "hostile") if is_real else []
        shop = DisorderlyShop(seed, size, here.stack.images_bucket, good, bad)
        told = Told()
        driver = Driver(here, shop, told, quiet)
        with killing(here, seed) as killed:
            driver.run()
            driver.wait(lambda waiting, _: not waiting)
            under_fire_s = time.monotonic() - begun_s
        here.proxy("calm")
        drained_s = driver.wait(lambda waiting, in_flight: not waiting and not in_flight)
        counts = here.proxy("counts")
        verdict = judged(here, shop, told.bad_bodies)
        gaps = judge_gaps(verdict, here, shop, seed)
        driver.wait(lambda waiting, in_flight: not waiting and not in_flight)
        verdict.problems += judged(here, shop, told.bad_bodies).problems
        counted = metrics(here)
    verdict.expect(not counted[Metric.BUGS], f"{counted[Metric.BUGS]:.0f} looks ended with what nobody expects")
    return Ran(
        seed,
        size,
        len(shop.used),
        told.events,
        killed.counts,
        counts,
        counted,
        under_fire_s,
        drained_s,
        gaps.count,
        verdict,
    )


@dataclass(frozen=True)
class Ran:
    """One run."""

    seed: int
    size: int
    used: int
    events: Counter[str]
    killed: Counter[str]
    proxy: dict[str, int]
    counted: Counter[str]
    under_fire_s: float
    drained_s: float
    gaps: int
    verdict: Verdict

    def rows(self) -> list[tuple[str, int | str]]:
        """Return what the table of the run says."""
        injured = sum(count for name, count in self.proxy.items() if ":" in name)
        return [
            ("seed", self.seed),
            ("keys ever used", self.used),
            *self.events.items(),
            ("calls of the functions", self.proxy["calls"]),
            ("of them injured", injured),
            *((f"  {name}", count) for name, count in sorted(self.proxy.items()) if name != "calls"),
            *((f"{what} killed", count) for what, count in sorted(self.killed.items())),
            ("looks that had to be repeated later", int(self.counted[Metric.RETRIED])),
            ("looks without the time to begin", int(self.counted[Metric.NOT_BEGUN])),
            ("files whose content was asked for", self.counted[f"{Metric.CONTENTS_RECOGNISED} told"]),
            ("of them known to the worker", int(self.counted[Metric.CONTENTS_RECOGNISED])),
            ("images that ended as they were", int(self.counted[Metric.UNCHANGED])),
            ("seconds under fire", round(self.under_fire_s)),
            ("events a second", round(sum(self.events.values()) / self.under_fire_s, 1)),
            ("seconds to the last end, in peace", round(self.drained_s)),
            ("gaps made on purpose, told and closed", self.gaps),
            *((f"end: {name}", count) for name, count in sorted(self.verdict.ends.items())),
            *((f"dead letters: {name}", count) for name, count in sorted(self.verdict.dead.items())),
            ("problems", len(self.verdict.problems)),
        ]


def keep(ran: Ran) -> Path:
    """Write down a run that failed, so that its seed is not lost, and return where."""
    folder = home() / "chaos"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"failed-seed-{ran.seed}-size-{ran.size}.json"
    facts = {"seed": ran.seed, "size": ran.size, "at": datetime.now(UTC).isoformat(), "problems": ran.verdict.problems}
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    return path


@click.command()
@click.option("--seed", type=int, default=None, help="Of everything that is left to chance; any, if not given.")
@click.option(
    "--size", type=int, default=10_000, show_default=True, help="Images; there are ten times as many messages."
)
@click.option("--real-model", is_flag=True, help="Tag with the real model in place of the tiny one.")
@click.option("--everywhere", is_flag=True, help="Injure every function, not only the one that tags.")
@click.option("--folder", type=Path, default=None, help="Where logs are kept; a passing one, if not given.")
def main(seed: int | None, size: int, folder: Path | None, *, real_model: bool, everywhere: bool) -> None:
    """Carry out one run and print its table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # what was started is ended, too
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        ran = chaos(seed, size, folder or Path(passing), is_real=real_model, is_everywhere=everywhere)
    for name, value in ran.rows():
        click.echo(f"{name:<52} {value:>10,}" if isinstance(value, int) else f"{name:<52} {value:>10}")
    if ran.verdict.problems:
        path = keep(ran)
        click.echo("\n".join(ran.verdict.problems[:SHOWN_PROBLEMS]), err=True)
        click.echo(f"the seed and all problems are in {path}; drains took at least {VISIBILITY_S} s", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
