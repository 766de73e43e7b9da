"""No process of ours connects anywhere but to what it was told. `make demo` is traced where it is run as typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import jpeg
from tests.strace import strangers, tracing

pytestmark = pytest.mark.slow
COMMAND = str(Path(sys.executable).with_name("catalog-tagger"))


def addresses_of(command: list[str], tmp_path: Path, **variables: str) -> set[str]:
    """Return the addresses beyond this machine that the command connects to, in an environment of its own."""
    log = tmp_path / "trace"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
    done = subprocess.run(
        [*tracing(log), *command], check=False, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return strangers(log)


def test_a_call_home_would_be_seen(tmp_path: Path) -> None:
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"

    assert addresses_of([sys.executable, "-c", script], tmp_path) == {"192.0.2.1"}


def test_tagging_connects_nowhere_and_keeps_nothing_in_the_users_cache(real_model: Path, tmp_path: Path) -> None:
    """Nobody has set a variable here: the command itself silences its libraries."""
    (tmp_path / "photo.jpg").write_bytes(jpeg("red"))
    command = [COMMAND, "tag", "photo.jpg", "--json"]

    assert addresses_of(command, tmp_path, MODEL_DIR=str(real_model), CATALOG_TAGGER_HOME=str(tmp_path)) == set()
    assert not (tmp_path / ".cache").exists()
