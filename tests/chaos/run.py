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
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.clients import client
from pipeline.progress import Progress
from pipeline.settings import home
from pipeline.telemetry import Metric
from tests.chaos.damage import judge_damages
from tests.chaos.deployment import VISIBILITY_S, Deployed, deployed, depth
from tests.chaos.gaps import judge_gaps
from tests.chaos.proxy import ON_THEIR_WAY
from tests.chaos.shop import MESSAGES, Delete, DisorderlyShop, Put, Send
from tests.chaos.staff import Staff
from tests.chaos.verdict import (
    SHOWN_PROBLEMS,
    Verdict,
    judge_items,
    judged,
    read_items,
    read_objects,
    report_of,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.shop import Event

Answer = TypeVar("Answer")
HANDS = 8  # things that happen at the same time
BACKLOG = 1500  # messages; the emulator's queue goes through all of them for each one
DEPTH_EVERY = 50  # events
CALLS_A_KILL = (60, 240)  # through the proxy, for each thousand images: a worker's start takes a second of CPU time
IMAGES_A_SCALE = 1000
GROWN_UP_CPU_S = 0.6  # a start takes 0.4; the emulator ends all siblings of a worker that dies in it
DRAIN_LIMIT_S = 600  # of quiet without end: then something is stuck
RESTART_LIMIT_S = 300  # a stop waits up to a minute for calls that hang, and a busy machine is slow to start
POLL_S = 0.5


@dataclass
class Killed:
    """How many processes were ended with SIGKILL, by what they were."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class DrivenEvents:
    """What the driver did, counted as it was done."""

    events: Counter[str] = field(default_factory=Counter)
    bad_bodies: list[str] = field(default_factory=list)
    happened: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, event: Event, *, is_repeated: bool) -> None:
        """Count the event."""
        with self.lock:
            self.happened += 1
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
    driven: DrivenEvents
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
                        while patiently(depth, sqs, self.here)[0] > min(BACKLOG, self.shop.size):
                            time.sleep(POLL_S)
                    self.driven.note(event, is_repeated=is_repeated)
                    self._happen(event, s3, sqs)
                    if number == self.shop.messages // 2:
                        self.here.restart()
                        self.driven.events["restarts of the emulator"] += 1

            with ThreadPoolExecutor(HANDS) as pool:
                try:
                    for ended in [pool.submit(hand) for _ in range(HANDS)]:
                        ended.result()
                finally:
                    stopped.set()

    def _happen(self, event: Event, s3: Any, sqs: Any) -> None:
        match event:
            case Put(in_parts=True):
                patiently(self._put_in_parts, event, s3)
            case Put():
                patiently(s3.put_object, Bucket=self.shop.bucket, Key=event.key, Body=event.data)
            case Delete():
                patiently(s3.delete_object, Bucket=self.shop.bucket, Key=event.key)
            case Send():
                stack = self.here.stack
                url = stack.uploads_queue_url if event.to_uploads else stack.backfill_queue_url
                patiently(sqs.send_message, QueueUrl=url, MessageBody=event.body)

    def _put_in_parts(self, event: Put, s3: Any) -> None:
        target = {"Bucket": self.shop.bucket, "Key": event.key}
        upload = target | {"UploadId": s3.create_multipart_upload(**target)["UploadId"]}
        part = s3.upload_part(**upload, PartNumber=1, Body=event.data)
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def wait_for_the_end(self) -> float:
        """Wait until nothing waits, nothing is worked on and nothing is on its way, and return the seconds."""
        begun_s = time.monotonic()
        assert wait_until(lambda: not self.here.proxy("counts").get(ON_THEIR_WAY), DRAIN_LIMIT_S)
        self.wait(lambda waiting, in_flight: not waiting and not in_flight)
        return time.monotonic() - begun_s

    def wait(self, reached: Callable[[int, int], bool]) -> None:
        """Wait until the messages that wait, and those being worked on, are so."""
        sqs = client("sqs", self.here.endpoint_url)
        if not wait_until(lambda: reached(*patiently(depth, sqs, self.here)), DRAIN_LIMIT_S):
            raise TimeoutError(f"{depth(sqs, self.here)} messages wait and are worked on after {DRAIN_LIMIT_S} s")


def patiently(call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
    """Return what a call answers, again and again while the emulator is being restarted."""
    until_s = time.monotonic() + RESTART_LIMIT_S
    while True:
        try:
            return call(*arguments, **named)
        except (BotoCoreError, ClientError):
            if time.monotonic() > until_s:
                raise
            time.sleep(POLL_S)


@contextmanager
def killing(here: Deployed, seed: int, size: int) -> Iterator[Killed]:
    """Kill workers, and readers of theirs, again and again, in the middle of whatever they do."""
    scale = max(1, size // IMAGES_A_SCALE)
    killed, over, chance = Killed(), threading.Event(), random.Random(seed)

    def kill() -> None:
        next_at = 0
        while not over.wait(POLL_S):
            # On a busy machine no worker would live long enough to do anything (DECISIONS.md, 106).
            calls = here.proxy("counts").get("calls", 0)
            if calls >= next_at and _kill_one(here, chance, killed):
                next_at = calls + scale * chance.randrange(*CALLS_A_KILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def _kill_one(here: Deployed, chance: random.Random, killed: Killed) -> bool:
    """Return whether a worker or a reader was ended."""
    try:
        readers, workers = processes(here)
        is_reader = not workers or (readers and chance.random() < 0.3)
        what, victims = ("readers", readers) if is_reader else ("workers", workers)
        if not victims:  # the next time: a short run must not end before any is grown up
            return False
        chance.choice(victims).kill()
    except psutil.NoSuchProcess:  # it has just ended, or the emulator is being restarted
        return False
    killed.counts[what] += 1
    return True


def processes(here: Deployed) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return the readers and the workers that the emulator has started; nobody else's."""
    readers, workers = [], []
    for worker in psutil.Process(here.run.pid).children():
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
    for line in here.logs():
        if line.startswith('{"_aws"'):
            values = {name: value for name, value in json.loads(line).items() if isinstance(value, list)}
            sums.update({name: sum(value) for name, value in values.items()})
            sums.update({f"{name} told": len(value) for name, value in values.items()})
    return sums


def chaos(seed: int, size: int, folder: Path, *, messages_a_key: int = MESSAGES, quiet: bool = False) -> Ran:
    """Carry out one run and return what was done and found."""
    with deployed(folder, seed) as here:
        begun_s = time.monotonic()
        shop = DisorderlyShop(seed, size, here.stack.images_bucket, messages_a_key=messages_a_key)
        client("s3", here.endpoint_url).put_bucket_versioning(
            Bucket=shop.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        driven = DrivenEvents()
        staff = Staff(here, shop, seed, happened=lambda: driven.happened)
        driver = Driver(here, shop, driven, quiet)
        with killing(here, seed, size) as killed:
            with staff.at_work():
                driver.run()
            driver.wait(lambda waiting, _: not waiting)
        under_fire_s = time.monotonic() - begun_s
        here.proxy("calm")
        # What nobody has redriven yet. A restart makes the emulator forget what was read, as a day makes AWS.
        stream = report_of(here, "redrive", "--json")["queues"]["stream"]
        staff.counts["batches of before the restart, which the stream forgot"] = sum(stream["failed"].values())
        drained_s = driver.wait_for_the_end()
        verdict = _judge_undone(here, shop, staff)
        driver.wait_for_the_end()
        whole = judged(here, shop, driven.bad_bodies, staff.decided)
        whole.problems = [*staff.problems, *verdict.problems, *whole.problems]
        gaps = judge_gaps(whole, here, shop, seed)
        driver.wait_for_the_end()
        lost = {f"s3://{shop.bucket}/{key}" for key in gaps.lost}  # with what was decided on them
        kept = [decision for decision in staff.decided if decision.image not in lost]
        whole.problems += judged(here, shop, driven.bad_bodies, kept).problems
        judge_damages(whole, here, shop)
        proxy, counted = here.proxy("counts"), metrics(here)
    whole.expect(not counted[Metric.BUGS], f"{counted[Metric.BUGS]:.0f} images ended with what nobody expects")
    done = driven.events + staff.counts
    return Ran(
        seed, size, len(shop.used), done, killed.counts, proxy, counted, under_fire_s, drained_s, gaps.count, whole
    )


def _judge_undone(here: Deployed, shop: DisorderlyShop, staff: Staff) -> Verdict:
    """All images but those of undone runs must have their end; then load what is missing, which are exactly those."""
    verdict = Verdict()
    items, objects = read_items(here), read_objects(here, shop.bucket)
    undone = {image for image, item in items.items() if item["status"] == "undone"}
    prefix = f"s3://{shop.bucket}/"
    rest = replace(shop, used={key for key in shop.used if prefix + key not in undone})
    others = {image: item for image, item in items.items() if image not in undone}
    judge_items(verdict, rest, others, {key: etag for key, etag in objects.items() if key in rest.used}, staff.decided)
    staff.counts["images left undone, and loaded again"] = len(undone)
    sent = report_of(here, "load", f"s3://{shop.bucket}", "--only", "missing", "--json")["sent"]
    verdict.expect(sent == len(undone), f"{sent} images are missing, and {len(undone)} were undone")
    return verdict


@dataclass(frozen=True)
class Ran:
    """One run."""

    seed: int
    size: int
    used: int
    done: Counter[str]
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
            *self.done.items(),
            ("calls through the proxy", self.proxy["calls"]),
            ("of them injured", injured),
            *((f"  {name}", count) for name, count in sorted(self.proxy.items()) if name != "calls"),
            *((f"{what} killed", count) for what, count in sorted(self.killed.items())),
            ("images that had to be tried again", int(self.counted[Metric.RETRIED])),
            ("images without the time to begin", int(self.counted[Metric.NOT_BEGUN])),
            ("photos classified, or known by their bytes", self.counted[f"{Metric.CONTENTS_RECOGNISED} told"]),
            ("of them known by their bytes", int(self.counted[Metric.CONTENTS_RECOGNISED])),
            ("images that ended as they were", int(self.counted[Metric.UNCHANGED])),
            ("seconds under fire", round(self.under_fire_s)),
            ("images a second", round(self.used / self.under_fire_s, 1)),
            ("seconds to the last end, in peace", round(self.drained_s)),
            ("gaps made on purpose, told and closed", self.gaps),
            *self.verdict.checks.items(),
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
@click.option("--folder", type=Path, default=None, help="Where logs are kept; a passing one, if not given.")
def main(seed: int | None, size: int, folder: Path | None) -> None:
    """Carry out one run and print its table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # what was started is ended, too
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        ran = chaos(seed, size, folder or Path(passing))
    for name, value in ran.rows():
        click.echo(f"{name:<52} {value:>10,}" if isinstance(value, int) else f"{name:<52} {value:>10}")
    if ran.verdict.problems:
        path = keep(ran)
        click.echo("\n".join(ran.verdict.problems[:SHOWN_PROBLEMS]), err=True)
        click.echo(f"the seed and all problems are in {path}; drains took at least {VISIBILITY_S} s", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
