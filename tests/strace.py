"""Sees where a process and its children connect to, by strace (DECISIONS.md, 48)."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")
CALLS = "trace=connect,sendto,sendmsg,sendmmsg"


def tracing(log: Path) -> list[str]:
    """Return the words before a command line that write down where it connects to."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", CALLS, "-s", "200", "-o", str(log)]


def strangers(log: Path) -> set[str]:
    """Return the addresses beyond this machine that a traced command connected or sent to."""
    found = ADDRESS.findall(log.read_text(encoding="utf-8", errors="replace"))
    return {address for pair in found for address in pair if address and not LOOPBACK.match(address)}
