"""Carries out what the command line asks of the loader: reports it, and returns the exit code."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from catalog_loader import report, status_report
from catalog_loader.audit import Audit, Auditor
from catalog_loader.compare import Versions
from catalog_loader.estimate import IMAGE_MS, Estimator
from catalog_loader.load import Loaded, Loader, Only, Plan
from catalog_loader.manifest import Manifest
from catalog_loader.redrive import Redriven
from catalog_loader.redrive import redrive as redrive_queue
from catalog_loader.send import Sender, Sent
from catalog_loader.status import Status, ends_of, idle_reasons, left_in
from pipeline.errors import CallerError
from pipeline.images import SCHEME, BucketPrefix, is_unicode
from pipeline.keywords import Vocabulary
from pipeline.messages import TagImage
from pipeline.model_version import version_in
from pipeline.progress import Progress
from pipeline.run_id import checked_run_id, new_run_id
from pipeline.settings import model_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from catalog_loader.connect import Connected
    from catalog_loader.console import Console
    from catalog_loader.status import OutcomeCounts, QueueState
    from pipeline.ports import ExportedImages, MessageQueue

    Connect = Callable[[], Connected]

DONE, ATTENTION = 0, 1  # exit codes: what is done, and what is done and wants attention
WATCH_EVERY_S = 5.0  # chosen by us: the queues' counts are seconds old anyway
SECOND_LOOK_S = 2.0  # chosen by us: some batches' time
SCAN_SHARE = 10  # chosen by us: a watch spends a tenth of its time on reading the table


@dataclass(frozen=True, slots=True)
class LoadAsked:
    """What was asked of a load."""

    source: str
    run_id: str | None = None
    only: tuple[str, ...] = ()
    max_cost_usd: float | None = None
    max_waiting: int | None = None
    start_after: str = ""
    image_ms: float | None = None
    versions: Versions = field(default_factory=Versions)

    def estimator(self) -> Estimator:
        """Return who says what it costs."""
        return Estimator.load(self.image_ms or IMAGE_MS)

    def plan(self) -> Plan:
        """Return the plan, with a new run id where none is asked for.

        Raises:
            CallerError: what is asked for cannot be.
        """
        max_cost_usd = self.max_cost_usd
        if not is_unicode(self.start_after):
            raise CallerError(f"{self.start_after!r} is not valid Unicode, as every key in S3 is")
        source = _source(self.source)
        if self.start_after.startswith(SCHEME) and isinstance(source, BucketPrefix):
            _check_inside(self.start_after, source)
        return Plan(
            source=source,
            run_id=new_run_id(datetime.now(UTC)) if self.run_id is None else checked_run_id(self.run_id),
            start_after=self.start_after,
            only=frozenset(Only(choice) for choice in self.only),
            versions=self.versions,
            max_images=None if max_cost_usd is None else self.estimator().affordable(max_cost_usd),
        )


def current_versions(model: str | None, taxonomy: str | None) -> Versions:
    """Return the versions that were said to be current; where none was said, those of this checkout.

    Raises:
        BadModel: the model that was built here has a card that cannot be understood.
    """
    return Versions(model or version_in(model_dir()), taxonomy or Vocabulary.load().version)


def load(asked: LoadAsked, connect: Connect, voice: Console, sleep: Callable[[float], bool] | None = None) -> int:
    """Load, and say what was sent, whatever stops it, and where to go on."""
    plan, loaded = asked.plan(), Loaded()
    total = _total(plan)
    if Only.STALE in plan.only and plan.versions.model is None:
        voice.hint("No model was built here, so every model counts as current; --model-version names the one that is.")
    ports = connect()
    sender = Sender(ports.backfill, sleep=sleep)
    loader = Loader(ports.images, ports.table, sender.throttled(asked.max_waiting) if asked.max_waiting else sender)
    ended = False
    try:
        with Progress("load", total=total, quiet=voice.as_json) as progress:
            loader.load(plan, loaded, progress)
        ended = True
    finally:
        if ended or loaded.sent.count or loaded.sent.failed:
            resume_after = None if ended and not loaded.reached_max else loaded.sent.last
            facts = (plan.run_id, loaded, resume_after)
            voice.report(report.load_document(*facts), report.load_lines(*facts))
    return ATTENTION if loaded.sent.failed else _exit_code(plan, loaded, voice)


def rehearse(asked: LoadAsked, connect: Connect, voice: Console) -> int:
    """Say what a load would send and what it would cost."""
    plan, loaded = asked.plan(), Loaded()
    total = _total(plan)
    ports = connect()
    with Progress("dry run", total=total, quiet=voice.as_json) as progress:
        Loader(ports.images, ports.table, Sender(ports.backfill)).rehearse(plan, loaded, progress)
    facts = (loaded, asked.estimator().estimate(loaded.chosen))
    voice.report(report.rehearsal_document(*facts), report.rehearsal_lines(*facts))
    return _exit_code(plan, loaded, voice)


def audit(  # noqa: PLR0913 - one for each option, and the door to the stack
    place: str,
    versions: Versions,
    connect: Connect,
    voice: Console,
    *,
    enqueue: bool,
    wait: bool = False,
    exported: Callable[[], ExportedImages | None] = lambda: None,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Audit, when nothing waits where that is asked for, and send the gap where that is asked for.

    ``exported`` gives what the bucket is held against last: an export, as it is then.
    """
    inside, ports = BucketPrefix.parse(place), connect()
    if wait:
        _wait_until_empty(ports.queues.values(), sleep, voice)
    queues, dead_letters = tuple(ports.queues.values()), tuple(ports.dead_letters.values())
    auditor = Auditor(ports.images, ports.table, queues, dead_letters, exported())
    found, sent, run_id = Audit(), Sent(), new_run_id(datetime.now(UTC))
    with Progress("audit", unit="images and records", quiet=voice.as_json) as progress:
        messages = (TagImage(image, run_id) for image in auditor.audit(inside, versions, found, progress))
        if enqueue:
            _enqueue(messages, ports, sent, voice)
        else:
            deque(messages, maxlen=0)
    facts = (found, versions, sent if enqueue else None)
    voice.report(report.audit_document(*facts), report.audit_lines(*facts))
    return ATTENTION if found.has_gap or sent.failed else DONE


def _enqueue(messages: Iterable[TagImage], ports: Connected, sent: Sent, voice: Console) -> None:
    ended = False
    try:
        Sender(ports.backfill).send(messages, sent)
        ended = True
    finally:
        if not ended:
            voice.hint(f"{sent.count:,} messages were sent before it was stopped")


def status(
    connect: Connect, voice: Console, *, watch: bool, with_ends: bool, sleep: Callable[[float], object] = time.sleep
) -> int:
    """Say how far tagging is, once or until stopped."""
    ports, estimator, code = connect(), Estimator.load(), DONE
    for now in _statuses(ports, voice, with_ends=with_ends, sleep=sleep):
        cost_usd = estimator.estimate(now.ends.total if now.ends else 0).cost_usd
        document, lines = (
            status_report.status_document(now, cost_usd, names=not watch),
            status_report.status_lines(now, cost_usd),
        )
        if watch:
            voice.renew(document, lines)
        else:
            voice.report(document, lines)
        code = ATTENTION if any(queue.dead_letters for queue in now.queues) else DONE
        if not watch:
            break
        sleep(WATCH_EVERY_S)
    return code


def redrive(
    reasons: Collection[str],
    connect: Connect,
    voice: Console,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Send dead letters back, and say what was sent, whatever stops it."""
    ports = connect()
    redriven = {name: Redriven() for name in ports.dead_letters}
    try:
        with Progress("redrive", unit="letters", quiet=voice.as_json) as progress:
            began_at = clock()
            for name, queue in ports.dead_letters.items():
                redrive_queue(queue, reasons, redriven[name], progress, began_at)
    finally:
        voice.report(report.redrive_document(redriven), report.redrive_lines(redriven))
    return ATTENTION if any(part.wants_attention for part in redriven.values()) else DONE


def _statuses(
    ports: Connected, voice: Console, *, with_ends: bool, sleep: Callable[[float], object]
) -> Iterator[Status]:
    ends: OutcomeCounts | None = None
    next_scan_s, before = 0.0, None
    while True:
        began_s = time.monotonic()
        rate_per_s = None  # of what ended in the minute before the table was read: later, that tells nothing of now
        if with_ends and began_s >= next_scan_s:
            ends = _ends(ports, voice, quiet=before is not None)
            rate_per_s = ends.rate_per_s
            next_scan_s = time.monotonic() + SCAN_SHARE * (time.monotonic() - began_s)
        sample = _Sample.of(ports)
        now = _status(ports, ends, rate_per_s, before, sample)
        if ends and not before and now.idle_because:  # unchanged images end without a trace: look at the queues again
            sleep(SECOND_LOOK_S)
            before, sample = sample, _Sample.of(ports)
            now = _status(ports, ends, rate_per_s, before, sample)
        before = sample
        yield now


@dataclass(frozen=True, slots=True)
class _Sample:
    """The queues at a time."""

    at_s: float
    queues: tuple[QueueState, ...]

    @classmethod
    def of(cls, ports: Connected) -> _Sample:
        return cls(time.monotonic(), tuple(queue.state() for queue in ports.watched))


def _ends(ports: Connected, voice: Console, *, quiet: bool) -> OutcomeCounts:
    with Progress("reading the table", unit="records", quiet=quiet or voice.as_json) as progress:
        return ends_of(progress.over(ports.table.summaries()), datetime.now(UTC))


def _status(
    ports: Connected, ends: OutcomeCounts | None, ended_per_s: float | None, before: _Sample | None, now: _Sample
) -> Status:
    """Return what is known now. Queues that grow say nothing of how fast images end, nor that none does."""
    left = left_in(now.queues)
    drained = left_in(before.queues) - left if before else 0
    rates = [] if ended_per_s is None else [ended_per_s]
    if before and drained >= 0 and now.at_s > before.at_s:
        rates.append(drained / (now.at_s - before.at_s))
    rate_per_s = max(rates) if rates else None
    if drained < 0 and not rate_per_s:
        rate_per_s = None
    is_idle = rate_per_s == 0 and left
    return Status(now.queues, ends, rate_per_s, idle_reasons(now.queues, ports.causes) if is_idle else ())


def _wait_until_empty(queues: Collection[MessageQueue], sleep: Callable[[float], object], voice: Console) -> None:
    told = False
    while left := sum(depth.waiting + depth.in_flight for depth in (queue.depth() for queue in queues)):
        if not told:
            voice.hint(f"{left:,} messages wait; the audit begins when none does")
            told = True
        sleep(WATCH_EVERY_S)


def _source(text: str) -> BucketPrefix | Manifest:
    if text.startswith(SCHEME):
        return BucketPrefix.parse(text)
    if not Path(text).is_file():
        raise CallerError(f"{text} is neither s3://bucket/prefix nor a manifest's file")
    return Manifest(Path(text))


def _check_inside(start_after: str, place: BucketPrefix) -> None:
    if not start_after.startswith(str(place)):
        raise CallerError(f"--start-after {start_after} is not below {place}, so nothing can be told to follow it")


def _total(plan: Plan) -> int | None:
    return plan.source.check() if isinstance(plan.source, Manifest) else None


def _exit_code(plan: Plan, loaded: Loaded, voice: Console) -> int:
    if not loaded.found.count and not plan.start_after:
        voice.hint(f"nothing lies at {plan.source}")
        return ATTENTION
    if loaded.reached_max and loaded.last_chosen is None:
        voice.hint("--max-cost is reached before the first image")
    return ATTENTION if loaded.reached_max else DONE
