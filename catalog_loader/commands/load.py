"""Runs `load`: reads the source, sends or rehearses, reports, and returns the exit code."""

from __future__ import annotations

import shlex
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from catalog_loader.candidates import list_candidates
from catalog_loader.commands.wait import wait_for_all
from catalog_loader.compare import Versions
from catalog_loader.estimate import IMAGE_MS, Estimator
from catalog_loader.formatting import counts, dollars, duration, name_lines, names_of
from catalog_loader.inventory import Inventory, is_inventory
from catalog_loader.load import Loaded, Loader, Only, Plan
from catalog_loader.manifest import Manifest, manifest_at
from catalog_loader.send import Sender
from pipeline.errors import CallerError
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.images import SCHEME, BucketPrefix, is_unicode
from pipeline.keywords import Vocabulary
from pipeline.model_version import head_version_in, keywords_version, version_in
from pipeline.products import SAMPLE, describe_products
from pipeline.progress import Progress
from pipeline.run_id import checked_run_id, new_run_id
from pipeline.settings import model_dir, own_head_dirs, starter_head_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog_loader.connect import Connect, Connected
    from catalog_loader.console import Console, Document
    from catalog_loader.estimate import Estimate
    from pipeline.images import ImageRef


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The options of a load."""

    source: str
    prefix: str = ""
    run_id: str | None = None
    only: tuple[str, ...] = ()
    max_cost_usd: float | None = None
    max_waiting: int | None = None
    start_after: str = ""
    image_ms: float | None = None
    versions: Versions = field(default_factory=Versions)

    def estimator(self) -> Estimator:
        """Return the estimator of cost and time."""
        return Estimator.load(self.image_ms or IMAGE_MS)

    def plan(self, source: BucketPrefix | Manifest | Inventory) -> Plan:
        """Return the plan, with a new run id if none was given.

        Raises:
            CallerError: the options contradict each other or the source.
        """
        if not is_unicode(self.start_after):
            raise CallerError(f"{self.start_after!r} is not valid Unicode, as every key in S3 is")
        if self.start_after.startswith(SCHEME) and isinstance(source, BucketPrefix):
            _check_inside(self.start_after, source)
        start_after, max_cost_usd = self.start_after, self.max_cost_usd
        if start_after and isinstance(source, Inventory) and not start_after.startswith(SCHEME):
            start_after = f"{SCHEME}{source.bucket}/{start_after}"
        return Plan(
            source=source,
            run_id=new_run_id(datetime.now(UTC)) if self.run_id is None else checked_run_id(self.run_id),
            start_after=start_after,
            only=frozenset(Only(choice) for choice in self.only),
            versions=self.versions,
            max_images=None if max_cost_usd is None else self.estimator().affordable(max_cost_usd),
        )


def current_versions(model: str | None, taxonomy: str | None) -> Versions:
    """Return the versions that count as current: those given, else those of this checkout and its heads.

    Its heads are those that `retag` applies and `heads publish` puts where the stack fetches them: the shop's own that
    are installed on this machine, then the one that ships.

    Raises:
        BadModel: the card of the model built here cannot be read.
    """
    heads = [head_version_in(folder) for folder in (*own_head_dirs(), starter_head_dir())]
    words = taxonomy or keywords_version(Vocabulary.load().version, heads)
    return Versions(model or version_in(model_dir()), words)


def load(
    request: LoadRequest,
    connect: Connect,
    console: Console,
    *,
    wait: bool = False,
    sleep: Callable[[float], bool] | None = None,
) -> int:
    """Load, and report what was sent and where to go on, whatever ends it. With ``wait``, return when all is done."""
    with ExitStack() as opened:
        plan = request.plan(open_source(request.source, connect, opened, request.prefix))
        total = _total(plan)
        _warn_without_model(plan, console)
        ports = connect()
        _show_products(plan, ports, console)
        sender = Sender(ports.backfill, sleep=sleep, probe=ports.probe)
        if request.max_waiting:
            sender = sender.throttled(request.max_waiting)
        loaded, is_complete = Loaded(), False
        try:
            with Progress("load", total=total, quiet=console.as_json) as progress:
                Loader(ports.images, ports.table, sender).load(plan, loaded, progress)
            is_complete = True
        finally:
            # Ctrl-C and errors end here as well: the operator must learn where to resume.
            _report(plan, loaded, console, is_complete=is_complete)
    code = ATTENTION if loaded.sent.failed else _exit_code(plan, loaded, console)
    return max(code, wait_for_all(ports, console, sleep or time.sleep)) if wait else code


def _report(plan: Plan, loaded: Loaded, console: Console, *, is_complete: bool) -> None:
    if not is_complete and not loaded.sent.count and not loaded.sent.failed:
        return  # nothing was sent, so there is nothing to resume
    resume_after = None if is_complete and not loaded.reached_max else loaded.sent.last
    facts = (plan.run_id, loaded, resume_after)
    console.report(_load_document(*facts), _load_lines(*facts))


def _warn_without_model(plan: Plan, console: Console) -> None:
    if Only.STALE in plan.only and plan.versions.model is None:
        console.hint("No model was built here, so every model counts as current; name it with --model-version.")


def _show_products(plan: Plan, ports: Connected, console: Console) -> None:
    """Say what the stack makes of the keys, before anything is sent: what people decide holds for a whole product."""
    if console.as_json:
        return
    candidates = islice(
        list_candidates(ports.images, plan.source) if isinstance(plan.source, BucketPrefix) else plan.source.images(),
        SAMPLE,
    )
    unnamed = [candidate.image for candidate in candidates if candidate.product is None]
    examples, warning = describe_products(unnamed, ports.product_pattern()) if unnamed else ([], "")
    for line in [*examples, *([f"Warning: {warning}."] if warning else [])]:
        console.hint(line)


def rehearse(request: LoadRequest, connect: Connect, console: Console) -> int:
    """Report what a load would send, cost and take, and send nothing."""
    with ExitStack() as opened:
        plan = request.plan(open_source(request.source, connect, opened, request.prefix))
        total = _total(plan)
        ports, loaded = connect(), Loaded()
        _show_products(plan, ports, console)
        with Progress("dry run", total=total, quiet=console.as_json) as progress:
            Loader(ports.images, ports.table, Sender(ports.backfill)).rehearse(plan, loaded, progress)
    facts = (loaded, request.estimator().estimate(loaded.chosen))
    console.report(_rehearsal_document(*facts), _rehearsal_lines(*facts))
    return _exit_code(plan, loaded, console)


def open_source(
    text: str, connect: Connect, opened: ExitStack, prefix: str = ""
) -> BucketPrefix | Manifest | Inventory:
    """Return the place, manifest or inventory of this name; ``opened`` closes what had to be opened.

    Raises:
        CallerError: it is none of them, or ``prefix`` is given and it is no inventory.
    """
    if is_inventory(text):
        return Inventory.load(text, connect().files, prefix)
    if prefix:
        raise CallerError("--prefix is for the manifest.json of an inventory; write s3://bucket/prefix")
    if text.startswith(SCHEME):
        return BucketPrefix.parse(text)
    if Path(text).is_dir():
        raise CallerError(f"{text} is a folder; `catalog-tagger upload {text}` brings its photos into the stack")
    return opened.enter_context(manifest_at(text))


def _check_inside(start_after: str, prefix: BucketPrefix) -> None:
    if not start_after.startswith(str(prefix)):
        raise CallerError(f"--start-after {start_after} is not below {prefix}")


def _total(plan: Plan) -> int | None:
    return plan.source.check() if isinstance(plan.source, Manifest) else None


def _exit_code(plan: Plan, loaded: Loaded, console: Console) -> int:
    if not loaded.candidates.count and not plan.start_after:
        console.hint(f"there are no images at {plan.source}")
        return ATTENTION
    if loaded.reached_max and loaded.last_chosen is None:
        console.hint("--max-cost is reached before the first image")
    return ATTENTION if loaded.reached_max else DONE


def _load_document(run_id: str, loaded: Loaded, resume_after: ImageRef | None) -> Document:
    """Return the report of a load."""
    return {
        "run_id": run_id,
        "found": loaded.candidates.count,
        "sent": loaded.sent.count,
        "skipped": loaded.candidates.skipped,
        "skipped_by": loaded.candidates.by_reason(),
        "failed": loaded.sent.failed,
        "first_failed": names_of(loaded.sent.first_failed),
        "resume_after": None if resume_after is None else str(resume_after),
    }


def _load_lines(run_id: str, loaded: Loaded, resume_after: ImageRef | None) -> list[str]:
    """Return the report of a load."""
    return [
        f"run      {run_id}",
        f"found    {loaded.candidates.count:,}",
        f"sent     {loaded.sent.count:,}",
        f"skipped  {_skipped(loaded)}",
        f"failed   {loaded.sent.failed:,}",
        *name_lines(loaded.sent.first_failed, loaded.sent.failed),
        *_resume(resume_after),
    ]


def _rehearsal_document(loaded: Loaded, estimate: Estimate) -> Document:
    """Return the report of a load that sent nothing."""
    return {
        "found": loaded.candidates.count,
        "would_send": loaded.chosen,
        "bytes": loaded.chosen_bytes,
        "skipped": loaded.candidates.skipped,
        "skipped_by": loaded.candidates.by_reason(),
        "estimated_cost_usd": round(estimate.cost_usd, 6),
        "estimated_s": round(estimate.seconds, 1),
        "prices": estimate.prices,
        "resume_after": str(loaded.last_chosen) if loaded.reached_max and loaded.last_chosen else None,
    }


def _rehearsal_lines(loaded: Loaded, estimate: Estimate) -> list[str]:
    """Return the report of a load that sent nothing."""
    return [
        f"found        {loaded.candidates.count:,}",
        f"would send   {loaded.chosen:,} ({_size(loaded.chosen_bytes)})",
        f"skipped      {_skipped(loaded)}",
        f"would cost   about {dollars(estimate.cost_usd)} ({estimate.prices})",
        f"would take   about {duration(estimate.seconds)}",
        *_resume(loaded.last_chosen if loaded.reached_max else None),
    ]


def _size(size_bytes: int | None) -> str:
    return "a manifest tells no sizes" if size_bytes is None else f"{size_bytes:,} bytes"


def _skipped(loaded: Loaded) -> str:
    return counts(loaded.candidates.skipped_by)


def _resume(after: ImageRef | None) -> list[str]:
    if after is None:
        return []
    if not str(after).isprintable():
        return ["Stopped. --json says after which image to go on: its name cannot be shown here."]
    return [f"Stopped. Go on with --start-after {shlex.quote(str(after))}"]
