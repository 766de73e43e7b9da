"""What every room's tests share: where things lie, a clock that stands still, and the embedded AWS."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from moto.core.botocore_stubber import BotocoreStubber

from tests.workers import UnitScheduling, order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30  # chosen by us: it starts in under a second where nothing else runs

# Examples are the same in every run, and a busy machine fails none of them.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("steady")

# Amazon S3 dates each of its answers, which moto does not.
_answer_undated = BotocoreStubber.process_request


_dynamodb = RLock()  # moto checks a condition, then writes: Amazon DynamoDB does both at once


def _answer_dated(stubber: BotocoreStubber, request: Any) -> object:
    with _dynamodb if "dynamodb" in request.url else nullcontext():
        answer = _answer_undated(stubber, request)
    return answer and (answer[0], {**answer[1], "date": formatdate(usegmt=True)}, answer[2])


BotocoreStubber.process_request = _answer_dated

# Before anything loads onnxruntime, which reports to its maker otherwise; processes that tests start inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# A shop's own words on this machine change no test.
os.environ["TAXONOMY_OVERLAY"] = "-"
# What is imported and collected stays to the end, and to look for garbage in it takes a fifth of the collection's time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but not what is there already."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what lasts longest begin first."""
    items.sort(key=lambda item: order_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> UnitScheduling | None:
    """Divide tests among workers by our own units, unless the command line says how."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return UnitScheduling(config, log)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of sample pictures that lies beside some checkouts; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the sample pictures are not here")
    return folder


@pytest.fixture
def now() -> datetime:
    """The time, which stands still."""
    return datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def clock(now: datetime) -> Callable[[], datetime]:
    """A clock that always says ``now``."""
    return lambda: now


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which boto3 finds a region and keys of nobody, and never this machine's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@contextmanager
def embedded_aws() -> Iterator[str]:
    """Give the address of an embedded AWS that starts empty and ends with the block."""
    port = free_port()
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    command = [sys.executable, "-m", "ministack"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process, START_LIMIT_S)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """The address of an empty embedded AWS, for the whole session: use names that nobody else uses."""
    with embedded_aws() as address:
        yield address


@pytest.fixture(scope="module")
def own_ministack() -> Iterator[str]:
    """The address of an embedded AWS for one module, for what would be in others' way.

    AWS SAM deploys the template with its numbers as parameters, which stop every poller of the embedded AWS.
    """
    with embedded_aws() as address:
        yield address


def free_port() -> int:
    """Return a port that nobody listens at."""
    with closing(socket.socket()) as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], limit_s: float) -> None:
    """Return once the process listens at the port."""
    until = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{process.args} did not start on port {port} within {limit_s} s")


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The folder of the real model, which is built first where it is not there yet: that takes minutes."""
    from infra.model.build import ModelBuilder  # noqa: PLC0415 - only slow tests need onnx
    from infra.model.npm import Npm  # noqa: PLC0415 - as above
    from pipeline.settings import home, model_dir  # noqa: PLC0415 - as above

    ModelBuilder(home(), model_dir(), Npm(), lambda line: None, quiet=True).build()
    return model_dir()
