"""A long step of setting up is one line; what it prints is kept, and shown where it fails."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from infra.package import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def step(log: Path, *command: str) -> subprocess.CompletedProcess[str]:
    words = ["sh", str(ROOT / "infra" / "step.sh"), "Installing the libraries", str(log), *command]
    return subprocess.run(words, check=False, capture_output=True, text=True)


def test_a_step_is_one_line_with_its_seconds_and_its_output_is_kept(tmp_path: Path) -> None:
    done = step(tmp_path / "log", "sh", "-c", "echo Collecting numpy; echo a warning >&2")

    assert re.fullmatch(r"Installing the libraries \.\.\. ready \(\d+ s\)\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "log").read_text() == "Collecting numpy\na warning\n"


def test_a_step_that_fails_shows_the_end_of_its_output_and_names_the_rest(tmp_path: Path) -> None:
    done = step(tmp_path / "log", "sh", "-c", "for line in $(seq 30); do echo line $line; done; exit 7")

    assert done.returncode == 1
    assert "line 30\n" in done.stderr
    assert "line 15\n" not in done.stderr
    assert done.stderr.endswith(f"Installing the libraries failed; {tmp_path / 'log'} has all of it.\n")


def test_each_long_step_of_the_makefile_is_such_a_line() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    long = [line for line in lines if re.search(r"^\t.*(pip install|pip wheel|venv --upgrade-deps)", line)]

    assert len(long) >= 7
    assert [line for line in long if "$(STEP) " not in line] == []
