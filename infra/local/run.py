"""Starts the local stack, reports its state, and stops it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from infra.local import emulator
from infra.local.authorization import Authorization, UserPool
from infra.local.deploy import Deployment, LocalApi
from infra.local.journal import Journal, Recovered
from infra.local.place import Place
from infra.package import PACKAGES, zip_files
from pipeline.aws.clients import client
from pipeline.aws.sqs import SqsQueue
from pipeline.errors import DeployerError, NoStack
from pipeline.front_settings import MODELS_FOLDER
from pipeline.settings import home
from pipeline.stack import LocalRun, Stack
from pipeline.whole_file import one_at_a_time


class Life(StrEnum):
    """The state of the embedded AWS."""

    UP = "up"
    DOWN = "down"  # stopped, with its state saved
    DIED = "died"  # ended unexpectedly
    SILENT = "silent"  # its process runs but does not answer
    NONE = "none"  # there is no local stack


@dataclass(frozen=True, slots=True)
class Sources:
    """What to deploy: the template, the folder of the rooms, and the model."""

    template: Path
    root: Path
    model_dir: Path

    def zips(self) -> dict[str, bytes]:
        """Return each function's code.

        Raises:
            BadModel: there is no model.
        """
        compared = home() / MODELS_FOLDER
        return {
            package.function: zip_files(package.sources(self.model_dir, self.root, compared)) for package in PACKAGES
        }


@dataclass(frozen=True, slots=True)
class Up:
    """What ``up`` did. ``before`` is the earlier state, and ``recovered`` what the journal brought back."""

    before: Life
    recovered: Recovered
    run: LocalRun
    stack: Stack
    changed: bool
    api: LocalApi


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many messages a queue and its dead-letter queue hold."""

    waiting: int
    in_flight: int
    dead_lettered: int


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """The state of the local stack; fields that are None are only known while it is up."""

    life: Life
    run: LocalRun | None
    stack: Stack | None
    uploads: QueueCounts | None
    backfill: QueueCounts | None
    api: LocalApi | None = None


def life_of(state: Place) -> Life:
    """Return the state of the embedded AWS."""
    run = LocalRun.load(state.folder)
    if run is None:
        return Life.NONE
    if not state.is_alive():
        return Life.DOWN if run.pid is None else Life.DIED
    return Life.UP if emulator.answers(run) else Life.SILENT


def up(
    state: Place,
    sources: Sources,
    authorization: Authorization = Authorization.NONE,
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> Up:
    """Start the embedded AWS if it is not up, and deploy the sources to it.

    Raises:
        DeployerError: it cannot be started, or the template cannot be deployed.
    """
    emulator.check_installed()
    template, zips = sources.template.read_text(encoding="utf-8"), sources.zips()
    with one_at_a_time(state.folder):
        before, recovered = life_of(state), Journal(state.state).count()
        if before is Life.SILENT:
            raise DeployerError("ministack runs but does not answer; `catalog-tagger local down` stops it")
        try:
            run = _running(state)
            changed = _deploy(Deployment.at(run.endpoint_url), template, zips, authorization, parameters)
        except DeployerError:
            _give_up(state)
            raise
        deployment = Deployment.at(run.endpoint_url)  # at the same address after a new start
        if changed:
            # Only a clean stop saves the deployed tables and queues, which a replay of the journal needs.
            deployment.drain()
            emulator.stop(state, run)
            run = emulator.start(state, run.port)
        deployment.listen(to_queues=True)
    return Up(before, recovered, run, deployment.stack(), changed, deployment.api())


def _deploy(
    deployment: Deployment,
    template: str,
    zips: Mapping[str, bytes],
    authorization: Authorization,
    parameters: Mapping[str, str],
) -> bool:
    parameters = {**parameters, "ApiAuthorization": authorization.parameter}
    if authorization is not Authorization.JWT:
        return deployment.deploy(template, zips, parameters)
    pool = UserPool.open(deployment.endpoint_url)
    changed = deployment.deploy(template, zips, {**parameters, **pool.parameters()})
    pool.let_back_to(f"{deployment.api().url}/")
    return changed


def _give_up(state: Place) -> None:
    """Remove an incomplete first stack, which would block the next attempt. A stack that was complete before stays."""
    run = LocalRun.load(state.folder)
    if run is not None and not state.was_stopped_cleanly_once():
        emulator.stop(state, run)
        state.forget()


def _running(state: Place) -> LocalRun:
    """Return the run that is up; if none is, start one, on its former port if that is free."""
    run = LocalRun.load(state.folder)
    if run is not None and state.is_alive():
        return run
    if not state.was_stopped_cleanly_once():
        state.forget()
    port = emulator.free_port(run.port if run else None)
    if run is not None and run.port != port:
        emulator.move(state, before=run.port, after=port)
    state.tidy()
    return emulator.start(state, port)


def down(state: Place, *, purge: bool) -> Life:
    """Stop the embedded AWS and return its earlier state. ``purge`` deletes everything it holds."""
    if not state.folder.exists():
        return Life.NONE
    with one_at_a_time(state.folder):
        before = life_of(state)
        run = LocalRun.load(state.folder)
        if before is Life.UP and run is not None and not purge:
            with suppress(NoStack):  # a deployment that failed left nothing to wait for
                Deployment.at(run.endpoint_url).drain()
        if run is not None:
            emulator.stop(state, run)
        if purge:
            shutil.rmtree(state.folder)
    return before


def status(state: Place) -> LocalStatus:
    """Return the state of the local stack.

    Raises:
        NoStack: the embedded AWS is up, but nothing is deployed on it.
    """
    life, run = life_of(state), LocalRun.load(state.folder)
    if life is not Life.UP or run is None:
        return LocalStatus(life, run, None, None, None)
    deployment = Deployment.at(run.endpoint_url)
    stack = deployment.stack()
    return LocalStatus(
        life,
        run,
        stack,
        api=deployment.api(),
        uploads=_counts(run, stack.uploads_queue_url, stack.uploads_dead_letter_queue_url),
        backfill=_counts(run, stack.backfill_queue_url, stack.backfill_dead_letter_queue_url),
    )


def _counts(run: LocalRun, queue_url: str, dead_letter_queue_url: str) -> QueueCounts:
    sqs = client("sqs", run.endpoint_url)
    depth, dead = SqsQueue(sqs, queue_url).depth(), SqsQueue(sqs, dead_letter_queue_url).depth()
    return QueueCounts(depth.waiting, depth.in_flight, dead.waiting + dead.in_flight)
