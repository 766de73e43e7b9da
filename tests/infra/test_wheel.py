"""`make dist`: the wheel works outside of the checkout, and builds the model at its first use."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from infra.package import ROOT
from pipeline.settings import home
from tests.builders import jpeg

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = ("pipeline", "catalog_loader", "tagging_lambda", "results_sink", "infra")
# Its top-level names may be others' too: nothing of a checkout must be needed to import them (DECISIONS.md, 92).
LEFT_OUT = ("infra/heads/", "infra/Dockerfile", "infra/step.sh")  # what only a checkout can use


@pytest.mark.slow
def test_the_wheel_holds_every_file_and_runs_without_the_checkout(real_model: Path, tmp_path: Path) -> None:
    subprocess.run(["make", "dist"], cwd=ROOT, check=True, capture_output=True)
    [wheel] = (ROOT / "dist").glob("*.whl")
    tracked = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, check=True, capture_output=True, text=True)
    held = set(zipfile.ZipFile(wheel).namelist())
    assert [n for n in tracked.stdout.split() if n not in held and not n.startswith(LEFT_OUT)] == []

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "downloads").symlink_to(home() / "downloads")  # what `model build` would fetch
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg())
    environment = {
        **{name: value for name, value in os.environ.items() if name != "MODEL_DIR"},
        "PYTHONPATH": str(tmp_path / "installed"),
        "CATALOG_TAGGER_HOME": str(tmp_path / "home"),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)

    assert run("-c", "import infra; print(infra.__file__)").stdout.startswith(str(tmp_path))
    first = run("-m", "infra.cli", "tag", "photos", "-o", "out")  # the first use builds the model
    assert first.stdout.startswith("1 tagged")
    assert "The model is not here yet" in first.stderr
    assert (tmp_path / "home" / "model" / "card.json").exists()
    assert "not here yet" not in run("-m", "infra.cli", "tag", "photos", "-o", "out").stderr
    assert run("-m", "infra.cli", "search", "NOT shoe", "--from", "out").stdout
