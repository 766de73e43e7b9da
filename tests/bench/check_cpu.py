"""Holds the served model against itself on a CPU without VNNI, as a part of Lambda's fleet is: qemu-user plays one.

The pictures are prepared here; there, only the model runs. What it answers may differ from what it answers here by no
more than it differs from the float32 model anyway.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

QEMU = "qemu-x86_64"
CPU = "Haswell-noTSX"  # AVX2, and neither AVX-512 nor VNNI
UNPLAYED = ",-pcid,-x2apic,-tsc-deadline,-invpcid"  # of no use to a process, and qemu-user warns that it lacks them
PHOTOS = 6  # a photo takes about five seconds there
LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two machines' or two models' answers are apart.

    Attributes:
        scores: the largest difference of a class score, a probability.
        logits_rms: of the logits, the root of the mean square.
        same_best: for how many photos the strongest class is the same.
    """

    scores: float
    logits_rms: float
    same_best: int

    @classmethod
    def between(cls, one: NDArray[np.float32], other: NDArray[np.float32]) -> Difference:
        """Return the difference of two float32 [N, classes] of class scores; their logs are the logits, but centred."""
        logits = [np.log(np.maximum(scores, 1e-12)) for scores in (one, other)]
        first, second = (each - each.mean(axis=1, keepdims=True) for each in logits)
        return cls(
            float(np.abs(one - other).max()),
            float(np.sqrt(((first - second) ** 2).mean())),
            int((one.argmax(axis=1) == other.argmax(axis=1)).sum()),
        )

    def row(self, name: str, count: int) -> str:
        """Return a line of the table."""
        return f"| {name} | {self.scores:.4f} | {self.logits_rms:.3f} | {self.same_best} of {count} |"


def inputs(count: int, card_path: Path, folder: Path) -> NDArray[np.float32]:
    """Return the model's input for the first photos of the folder."""
    from tagging_lambda.image.decode import read_picture
    from tagging_lambda.image.picture import model_input
    from tagging_lambda.model_card import ModelCard

    contract = ModelCard.load(card_path).input
    paths = sorted(folder.glob("*.jpg"))[:count]
    return model_input([read_picture(path.read_bytes(), contract) for path in paths], contract)


def answered(card_path: Path, pixels: NDArray[np.float32], precision: str | None = None) -> NDArray[np.float32]:
    """Return the class scores that the model gives in this process, a picture at a time."""
    from tagging_lambda.classify import Classifier

    classifier = Classifier.load(card_path, precision=precision)
    return np.stack([classifier.classify(each[None])[0].scores for each in pixels])


def answered_there(card_path: Path, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what it gives on the other CPU."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "pixels.npy"), Path(folder, "scores.npy")
        np.save(asked, pixels)
        command = [
            QEMU,
            "-cpu",
            CPU + UNPLAYED,
            sys.executable,
            "-m",
            "tests.bench.check_cpu",
            "--answer",
            card_path,
            asked,
            told,
        ]
        subprocess.run(command, check=True, timeout=LIMIT_S)
        return np.load(told)


def features() -> list[str]:
    """Return which of the CPU's features that matter here this process has."""
    found = np._core._multiarray_umath.__cpu_features__
    return [name for name in ("AVX2", "AVX512F", "AVX512_ICL") if found.get(name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return 0 where all is well, 1 where the model is another one there, 2 without qemu."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--answer", nargs=3, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.answer:
        card_path, pixels, told = asked.answer
        print(f"there: {', '.join(features())}", file=sys.stderr)
        if features() != ["AVX2"]:
            print(f"{QEMU} plays another CPU than was asked for", file=sys.stderr)
            return 1
        np.save(told, answered(card_path, np.load(pixels)))
        return 0
    if shutil.which(QEMU) is None:
        print(f"{QEMU} is not installed; apt-get install qemu-user brings it", file=sys.stderr)
        return 2
    return compare(asked.photos)


def compare(count: int) -> int:
    """Compare the machines and the models, and return whether the machines are further apart than the models."""
    from pipeline.settings import home, model_dir

    prepare()
    card_path = model_dir() / "card.json"
    pixels = inputs(count, card_path, home() / "sample-catalogue")
    print(f"here: {', '.join(features())}", file=sys.stderr)
    here = answered(card_path, pixels)
    begun_s = time.perf_counter()
    there = answered_there(card_path, pixels)
    took_s = time.perf_counter() - begun_s
    machines = Difference.between(here, there)
    models = Difference.between(here, answered(card_path, pixels, precision="float32"))
    same = "the same bit for bit" if np.array_equal(here, there) else "not the same bit for bit"
    print(f"{len(pixels)} photos, {took_s:.0f} s on the played {CPU}; the answers are {same}\n")
    print("| between | largest difference of a score | rms of the logits | same best class |")
    print("|---|---|---|---|")
    print(machines.row(f"this CPU and {CPU}, the served model", len(pixels)))
    print(models.row("the served model and float32, this CPU", len(pixels)))
    if machines.scores > models.scores or machines.logits_rms > models.logits_rms:
        print("the model gives other answers there than rounding explains", file=sys.stderr)
        return 1
    return 0


def prepare() -> None:
    """Build the model where there is none."""
    from infra.model.build import ModelBuilder
    from infra.model.npm import Npm
    from pipeline.settings import home, model_dir

    ModelBuilder(home(), model_dir(), Npm(), lambda line: print(line, file=sys.stderr)).build()


if __name__ == "__main__":
    sys.exit(main())
