"""The process of the embedded AWS: starts ministack, checks its health, and stops it with its state saved."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec

from infra.local.place import Place
from pipeline.errors import DeployerError
from pipeline.stack import LOCAL_HOST, LocalRun

START_LIMIT_S = 60.0  # chosen by us: a start takes 0.4 s on an idle machine
STOP_LIMIT_S = 60.0  # chosen by us: a stop takes 0.4 s; with a large table it writes for some seconds
WORKERS_LIMIT_S = 3.0  # chosen by us: idle workers end at once, and a busy worker's messages return to their queue
POLL_S = 0.02
ANSWER_LIMIT_S = 2.0  # chosen by us: it answers in milliseconds, but the machine may be busy
IDLE_WORKER_S = 60  # chosen by us: after this, all but one worker of a function end and free their memory
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
QUEUE_ADDRESSES = ("sqs.json", "cloudformation.json", "lambda.json")  # the files of the state that contain the port


def check_installed(find: Callable[[str], object | None] = find_spec) -> None:
    """Return if the libraries of the embedded AWS are installed.

    Raises:
        DeployerError: a library is missing.
    """
    for module, name in (("ministack", "ministack"), ("samtranslator", "aws-sam-translator")):
        if find(module) is None:
            raise DeployerError(f"{name} is not installed; install it with: pip install 'catalog-tagger[local]'")


def start(state: Place, port: int) -> LocalRun:
    """Start the emulator in its own session, and return when it answers.

    Raises:
        DeployerError: it did not start; its log says why.
    """
    for folder in (state.state, state.objects, state.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    if state.log.exists():
        state.log.replace(state.log.with_suffix(".log.1"))
    with state.life_lock() as life, state.log.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.journaled_ministack"],
            cwd=state.folder,
            env=_environment(state, port, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[life.fileno()],
            start_new_session=True,
        )
    run = LocalRun(port=port, pid=process.pid)
    run.save(state.folder)  # at once, so that the process can be stopped in any case
    _within(START_LIMIT_S, lambda: process.poll() is not None or answers(run))
    if process.poll() is not None or not answers(run):
        stop(state, run)
        raise DeployerError(f"ministack did not start on port {port}; {state.log} says why")
    return run


def _environment(state: Place, port: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the emulator's environment, which its functions inherit, without anything of the caller's AWS."""
    return {
        **{name: environment[name] for name in INHERITED if name in environment},
        "AUTH": str(state.checks_permissions).lower(),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BIND_HOST": LOCAL_HOST,  # the default is every interface
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # protocols that are not used here
        "SFTP_ENABLED": "0",
        "LAMBDA_WARM_TTL_SECONDS": str(IDLE_WORKER_S),
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(state.state),
        "S3_DATA_DIR": str(state.objects),
        "TMPDIR": str(state.scratch),
    }


def answers(run: LocalRun) -> bool:
    """Return whether it is up and answers its health check."""
    try:
        with urllib.request.urlopen(f"{run.endpoint_url}/_ministack/health", timeout=ANSWER_LIMIT_S) as answer:  # noqa: S310 - an http address of this machine
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (OSError, ValueError):
        return False


def stop(state: Place, run: LocalRun) -> None:
    """Stop the emulator and its workers."""
    if run.pid is not None and state.is_alive():
        _stop_process(state, run.pid)
    LocalRun(port=run.port, pid=None).save(state.folder)
    state.tidy()


def _stop_process(state: Place, pid: int) -> None:
    _end(pid, signal.SIGTERM)
    if not _within(STOP_LIMIT_S, lambda: not state.is_alive()):
        _end(pid, signal.SIGKILL)  # the journal still has what it could not save
    _end_group(pid, signal.SIGTERM)
    if not _within(WORKERS_LIMIT_S, lambda: not _group_lives(pid)):
        _end_group(pid, signal.SIGKILL)


def _end(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)


def _end_group(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, how)


def _group_lives(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # it is our own child if this command started it
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _within(limit_s: float, reached: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > until_s:
            return False
        time.sleep(POLL_S)
    return True


def free_port(wanted: int | None) -> int:
    """Return the wanted port if it is free, else any free port."""
    for port in (wanted, 0) if wanted else (0,):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOCAL_HOST, port))
            return int(probe.getsockname()[1])
    raise DeployerError(f"no port of {LOCAL_HOST} is free")


def move(state: Place, before: int, after: int) -> None:
    """Change the port in the saved state, in which queues are identified by their addresses."""
    for name in QUEUE_ADDRESSES:
        path = state.state / name
        if path.exists():
            text = path.read_text(encoding="utf-8").replace(f"//localhost:{before}/", f"//localhost:{after}/")
            path.write_text(text, encoding="utf-8")
