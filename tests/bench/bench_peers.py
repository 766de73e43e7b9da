"""``tag PATH`` beside what others would use: run by ``make bench-peers``, which installs the peers below ``build``.

Each peer is a script in ``tests/bench/peers``, written as its documentation would have one write it, over the same
photos and, where it says int8, the same weights. A way runs over the sample catalogue once and several times: what
each further photo takes is its speed, and what is left of the first run is its start. The ways take turns, and the
median of all rounds counts. The clock counts and not the processor, since some peers leave the work to processes that
outlive them, so the machine has to be quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.settings import model_dir
from tests.bench.tables import keep, peers_table
from tests.bench.tagging import copies, machine, photos, prepare

SCRIPTS = Path(__file__).parent / "peers"
INSTALLED = Path("build/peers").absolute()
PYTHON_PACKAGES = ("onnxruntime", "openvino", "ray[data]", "daft", "pillow", "numpy")
NODE_PACKAGES = ("onnxruntime-node", "sharp")
PASSES = 6  # over the sample catalogue in the longer run
ROUNDS = 5
OURS = "tag PATH"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tag a folder: the script, and which precision of the model it reads."""

    name: str
    script: str
    precision: str = "int8"
    least_cores: int = 1

    def command(self, folder: Path, cores: int) -> list[str]:
        """Return the command that prints a line for each photo: its name and its five best classes."""
        if not self.script:
            words = ["-m", "infra.cli", "tag", "--json", "--workers", str(cores), str(folder)]
            return [sys.executable, *words]
        model = model_dir() / f"resnet50.{self.precision}.onnx"
        if self.script.endswith(".mjs"):
            return ["node", str(INSTALLED / self.script), str(model), str(folder), str(cores)]
        return [str(INSTALLED / "venv/bin/python"), str(SCRIPTS / self.script), str(model), str(folder), str(cores)]


WAYS = (
    Way(OURS, ""),
    Way("onnxruntime, a loop over eights", "onnxruntime_loop.py"),
    Way("OpenVINO, a loop over eights", "openvino_loop.py"),
    Way("OpenVINO, asynchronous", "openvino_async.py"),
    Way("Node.js with sharp and onnxruntime", "node_sharp.mjs"),
    Way("Daft", "daft_udf.py"),
    Way("Ray Data", "ray_data.py", least_cores=2),  # its reader and its actor wait for each other on one
    Way("onnxruntime, float32", "onnxruntime_loop.py", "fp32"),
)


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one way."""

    photos_per_s: float
    start_s: float  # what the first run takes beyond its photos


def main() -> None:
    """Install the peers, let all ways take turns on one core and on two, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    arguments = parser.parse_args()
    prepare()
    _install()
    print(f"{machine()}; median of {arguments.rounds} rounds\n")
    by_cores = {f"{cores} cores": _figures(cores, arguments.rounds) for cores in (1, 2)}
    figures = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "rounds": arguments.rounds}
    figures |= {"photos": len(photos()) * (PASSES - 1), **by_cores}
    print(*peers_table(figures), sep="\n")
    keep(figures, arguments.json)


def _figures(cores: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return, by way, the medians of all rounds, and the share of photos with the same first class as ours."""
    ways = [way for way in WAYS if way.least_cores <= cores]
    measured: dict[str, list[Round]] = {way.name: [] for way in ways}
    answers: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as once, tempfile.TemporaryDirectory() as often:
        few, many = len(copies(Path(once), 1)), len(copies(Path(often), PASSES))
        for number in range(rounds):
            for way in ways:
                print(f"{cores} cores, round {number + 1} of {rounds}: {way.name}", file=sys.stderr)
                short_s, answers[way.name] = _timed(way, Path(once), cores)
                long_s, _ = _timed(way, Path(often), cores)
                photo_s = (long_s - short_s) / (many - few)
                measured[way.name].append(Round(1 / photo_s, max(0.0, short_s - few * photo_s)))
    ours = answers[OURS]
    return {
        name: {
            **asdict(_median(rounds_of_way)),
            "agreement": sum(answers[name].get(photo) == first for photo, first in ours.items()) / len(ours),
        }
        for name, rounds_of_way in measured.items()
    }


def _median(rounds: list[Round]) -> Round:
    return Round(
        statistics.median(measured.photos_per_s for measured in rounds),
        statistics.median(measured.start_s for measured in rounds),
    )


def _timed(way: Way, folder: Path, cores: int) -> tuple[float, dict[str, int]]:
    """Return the seconds of one run, and each photo's first class."""
    core_list = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    command = ["taskset", "--cpu-list", core_list, *way.command(folder, cores)]
    begun_s = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    elapsed_s = time.perf_counter() - begun_s
    if done.returncode:
        sys.exit(f"{way.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    lines = done.stdout.splitlines()
    if way.script:
        return elapsed_s, {name: int(first) for name, first, *_ in map(str.split, lines)}
    tagged = [json.loads(line) for line in lines]
    return elapsed_s, {Path(photo["image"]).name: photo["classes"][0]["class_index"] for photo in tagged}


def _install() -> None:
    """Install the peers where they meet neither the project's own libraries nor each other."""
    python = INSTALLED / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(INSTALLED / "venv")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES], check=True)
    if not (INSTALLED / "node_modules").exists():
        skip_cuda = {**os.environ, "ONNXRUNTIME_NODE_INSTALL": "skip"}  # it is asked for no graphics card
        command = ["npm", "install", "--silent", "--prefix", str(INSTALLED), *NODE_PACKAGES]
        subprocess.run(command, check=True, env=skip_cuda)
    shutil.copy(SCRIPTS / "node_sharp.mjs", INSTALLED)  # Node.js looks for packages beside the script


if __name__ == "__main__":
    main()
