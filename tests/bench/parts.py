"""Where a photo's time goes: processor time of each part by itself, in one process on one core.

Beside it, the same part of the bare way. The least of all rounds counts, because neighbours can only add to it. What is
shown as a difference of two parts is only as exact as these.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipeline.batches import batched
from pipeline.keywords import Vocabulary
from pipeline.settings import model_dir
from tagging_lambda.classify import Classifier
from tagging_lambda.image import decode
from tagging_lambda.image.picture import model_input
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.image.signals import FileSize
from tagging_lambda.tag_files import GROUP
from tagging_lambda.words.class_keywords import strongest
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.heads import Head
from tagging_lambda.words.projection import STARTER
from tests.bench.tables import keep, parts_table
from tests.bench.tagging import bare_pixels, machine, photos, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Part:
    """Work on each of these; ``pid`` is another process that does some of it."""

    work: Callable[[Any], object]
    items: Sequence[Any]
    pid: int | None = None

    def run_s(self) -> float:
        """Do the work once, and return the seconds of the processor that it took."""
        begun_s = self._clock_s()
        for item in self.items:
            self.work(item)
        return self._clock_s() - begun_s

    def _clock_s(self) -> float:
        return time.process_time() + (process_cpu_s(self.pid) if self.pid else 0.0)


def measure() -> dict[str, dict[str, float | None]]:
    """Return the milliseconds of each part in the bare way and in `tag`; None where the bare way has none of it."""
    files = [photo.read_bytes() for photo in photos()]
    classifier = Classifier.load(model_dir() / "card.json")
    mapper = KeywordMapper.of(Vocabulary.load(), [known.id for known in classifier.card.classes], (Head.load(STARTER),))
    contract = classifier.card.input
    pictures = [decode.read_picture(data, contract) for data in files]
    decoded = [drafted(data, contract.shorter_side_pixels) for data in files]
    reduced = [decode._reduced(shown) for shown in decoded]
    pairs = [
        (Image.fromarray(picture.levels), decode._small(shown))
        for shown, picture in zip(reduced, pictures, strict=True)
    ]
    inputs = [model_input(group, contract) for group in batched(pictures, GROUP)]
    answers = [answer for pixels in inputs for answer in classifier.classify(pixels)]
    size = FileSize(1000, 1000, 100_000, "JPEG")
    reader = ProcessReader(contract)
    reader.read(files[0])
    parts = {
        "bare": Part(lambda data: bare_pixels(BytesIO(data)), files),
        "read": Part(lambda data: decode.read_picture(data, contract), files),
        "apart": Part(reader.read, files, reader.child.process.pid),
        "subject": Part(lambda shown: decode._subject(shown, decode._reduced(shown)), decoded),
        "small": Part(decode._small, reduced),
        "facts": Part(lambda pair: decode._measured(*pair, size), pairs),
        "input": Part(lambda group: model_input(group, contract), [*batched(pictures, GROUP)]),
        "model": Part(lambda pixels: classifier._session.run(None, {contract.name: pixels}), inputs),
        "classify": Part(classifier.classify, inputs),
        "keywords": Part(lambda answer: mapper.keywords(strongest(answer.scores), answer.vector), answers),
    }
    # By turns, so that a noisy neighbour is at all parts alike.
    rounds = [{name: part.run_s() for name, part in parts.items()} for _ in range(ROUNDS)]
    reader.close()
    least = {name: min(seconds[name] for seconds in rounds) * 1000 / len(files) for name in parts}
    facts_ms = least["facts"] + least["small"]
    times = {
        "open, decode, resize": (least["bare"], least["read"] - least["subject"] - facts_ms),
        "find the product's box": (None, least["subject"]),
        "facts: colours, sharpness, border": (None, facts_ms),
        "in a process of its own": (None, least["apart"] - least["read"]),
        "to the model's input": (None, least["input"]),
        f"the model, {GROUP} photos at once": (least["model"], least["model"]),
        "class scores and feature vector": (None, least["classify"] - least["model"]),
        "keywords": (None, least["keywords"]),
    }
    return {name: {"bare_ms": bare, "tag_ms": tag} for name, (bare, tag) in times.items()}


def drafted(data: bytes, side_pixels: int) -> Image.Image:
    """Return the picture as it is decoded for the model, before it is resized."""
    picture = Image.open(BytesIO(data))
    picture.draft("RGB", (side_pixels, side_pixels))
    picture.load()
    return picture


def process_cpu_s(pid: int) -> float:
    """Return the seconds of the processor that a process has had, to the nanosecond."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it, which Python lacks


def main() -> None:
    """Measure, print the table, and write the figures where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    arguments = parser.parse_args()
    prepare()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    figures = {"machine": machine(), "date": datetime.now(UTC).date().isoformat()}
    figures |= {"rounds": ROUNDS, "photos": len(photos()), "parts": measure()}
    print(*parts_table(figures), sep="\n")
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
