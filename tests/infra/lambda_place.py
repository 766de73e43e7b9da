"""A place on this machine that is to a function what AWS Lambda is: its code and its Python, and little else.

The code lies in /var/task, which cannot be written to, no more than anything else but /tmp, which is empty; the process
belongs to a user without rights; of this machine's Python libraries and of this checkout nothing is to be seen.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from infra.package import ROOT, RUNTIME_CLIENT
from infra.wheels import PYTHON_VERSION, Architecture, compile_modules, locked_lines, pip, runtime_python
from pipeline.settings import home
from tests.runtime_api import RuntimeApi
from tests.strace import strangers, tracing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_LIMIT_S = 60  # chosen by us: a start takes a second or two on an idle machine
POLL_S = 0.05
NOBODY = 65534
# Mounts are made in a namespace of its own, which is gone with the process.
MOUNTS = """
set -e
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/lang /mnt/task /mnt/runtime
mount --bind "$PYTHON" /mnt/lang
mount -t tmpfs none "/mnt/lang/lib/python$VERSION/site-packages"
mount --bind "$CODE" /mnt/task
mount --bind "$RUNTIME" /mnt/runtime
mount -t tmpfs -o ro none "$ROOT"
mount -t tmpfs -o mode=755 none /var
for place in lang task runtime; do
  mkdir "/var/$place"
  mount --bind "/mnt/$place" "/var/$place"
  mount -o remount,bind,ro "/var/$place"
done
mount --bind "/mnt/lang/lib/python$VERSION/site-packages" "/var/lang/lib/python$VERSION/site-packages"
if [ -d /dev/shm ]; then mount -t tmpfs -o ro none /dev/shm; fi
mount -t tmpfs -o mode=1777,size=512m none /tmp
mount -t tmpfs -o ro none /mnt
mount -o remount,bind,ro /
cd /var/task
exec env -i "$@"
"""


@cache
def python_home() -> Path | None:
    """Return the folder of a Python of the runtime's version on this machine."""
    python = runtime_python()
    if python is None:
        return None
    command = [python, "-c", "import sys; print(sys.base_prefix)"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def _namespace() -> list[str]:
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *mapped]


@cache
def why_not() -> str | None:
    """Return why there can be no such place on this machine, or None if there can."""
    if python_home() is None:
        return f"there is no Python {PYTHON_VERSION} here"
    try:
        mount = [*_namespace(), "mount", "-t", "tmpfs", "none", "/mnt"]
        tried = subprocess.run(mount, check=False, capture_output=True)
    except FileNotFoundError:
        return "there is no unshare here"
    return "nothing may be mounted here" if tried.returncode else None


@cache
def runtime_client() -> Path:
    """Return a folder with the runtime client, installed once."""
    lock = RUNTIME_CLIENT.lock
    name = next(line.split()[0] for line in locked_lines(lock) if line.startswith("awslambdaric=="))
    folder = home() / "downloads" / f"{name.replace('==', '-')}-compiled"
    if not folder.exists():
        half = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(half, ignore_errors=True)
        machine = Architecture.X86_64 if os.uname().machine == "x86_64" else Architecture.ARM64
        exactly = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
        pip(["install", "--quiet", "--target", str(half), *machine.wheels_only, *exactly], "install the runtime client")
        compile_modules(half)  # as AWS Lambda has it: else each start would compile it, and be measured with that
        half.rename(folder)
    return folder


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Function:
    """A function that runs in such a place."""

    def __init__(self, api: RuntimeApi, process: subprocess.Popen[bytes], log: Path) -> None:
        """Wrap the running process."""
        self.api, self.process, self.log = api, process, log

    def call(self, event: dict, timeout_s: float = 60):
        """Return the answer to the event; what it says instead fails the test."""
        call = self.api.call(event, timeout_s)
        assert call.ended.is_set(), f"no answer within {timeout_s} s: {self.said()}"
        assert call.error is None, (call.error, self.said())
        return call.answer

    def said(self) -> str:
        """Return what the function has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """Return the function's processes: its own and the children."""
        [own] = _children(self.process.pid)  # the process that was started is strace
        return [own, *_children(own)]

    def peak_bytes(self) -> int:
        """Return the most memory that the function's processes have had, one by one, summed."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in self.processes()]
        lines = [line for status in statuses for line in status.splitlines() if line.startswith("VmHWM:")]
        return sum(int(line.split()[1]) * 1024 for line in lines)


def environment_of(api: RuntimeApi, handler: str, told: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that AWS Lambda sets, and those that the template does."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{PYTHON_VERSION}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_FUNCTION_NAME": "under-test",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/under-test",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/task:/var/runtime",
        "TZ": ":UTC",
        "_HANDLER": handler,
        **told,
    }


@contextmanager
def running(code: Path, handler: str, told: Mapping[str, str], log: Path) -> Iterator[Function]:
    """Run the function until the block ends, and yield it once it has started; if it does not start, the test fails."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with RuntimeApi() as api, log.open("wb") as printed:
        trace = log.with_suffix(".trace")
        process = _started(code, environment_of(api, handler, told), handler, printed, trace)
        try:
            until_s = time.monotonic() + START_LIMIT_S
            while not api.started.wait(POLL_S) and process.poll() is None and time.monotonic() < until_s:
                pass
            assert api.started.is_set(), f"{handler} did not start: {log.read_text()}"
            assert api.refused is None, (api.refused, log.read_text())
            yield Function(api, process, log)
        finally:
            _ended(process)
        assert strangers(trace) == set(), f"{handler} connects elsewhere"


def _started(
    code: Path, told: dict[str, str], handler: str, printed: IO[bytes], trace: Path
) -> subprocess.Popen[bytes]:
    without_rights = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    without_rights += ["--inh-caps=-all", "--bounding-set=-all"]
    prefix = without_rights if os.geteuid() == 0 else []
    words = [f"{name}={value}" for name, value in told.items()]
    command = [*_namespace(), "sh", "-c", MOUNTS, "sh", *words, *prefix]
    folders = {"PYTHON": python_home(), "CODE": code, "RUNTIME": runtime_client(), "ROOT": ROOT}
    named = {"PATH": os.environ["PATH"], "VERSION": PYTHON_VERSION} | {
        name: str(path) for name, path in folders.items()
    }
    return subprocess.Popen(
        [*tracing(trace), *command, f"/var/lang/bin/python{PYTHON_VERSION}", "-m", "awslambdaric", handler],
        env=named | {"PATH": os.environ["PATH"]},
        stdout=printed,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
