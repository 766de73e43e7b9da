"""Where a photo's time goes: processor time of each part by itself, in one process on one core.

Beside it, the same part of the bare way. The least of all rounds counts, because neighbours can only add to it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from pipeline.batches import batched
from pipeline.keywords import Vocabulary
from pipeline.settings import model_dir
from tagging_lambda.classify import Classifier
from tagging_lambda.image import preprocess
from tagging_lambda.image.picture import model_input
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.image.signals import FileSize, facts_of
from tagging_lambda.local_files import GROUP
from tagging_lambda.words.class_keywords import strongest
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.heads import Head
from tagging_lambda.words.projection import STARTER
from tests.bench.tables import parts_table
from tests.bench.tagging import bare_pixels, machine, photos, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
R = TypeVar("R")
ROUNDS = 8


def best_of(
    work: Callable[[T], R], items: Iterable[T], photo_count: int, clock_s: Callable[[], float]
) -> tuple[list[R], float]:
    """Return the results, and the milliseconds of a photo in the fastest round."""
    items = list(items)
    rounds_ms = []
    for _ in range(ROUNDS):
        begun_s = clock_s()
        results = [work(item) for item in items]
        rounds_ms.append((clock_s() - begun_s) * 1000 / photo_count)
    return results, min(rounds_ms)


def measure() -> dict[str, dict[str, float | None]]:
    """Return the milliseconds of each part in the bare way and in `tag`; None where the bare way has none of it."""
    files = [photo.read_bytes() for photo in photos()]
    classifier = Classifier.load(model_dir() / "card.json")
    contract = classifier.card.input

    def timed(
        work: Callable[[T], R], items: Iterable[T], clock_s: Callable[[], float] = time.process_time
    ) -> tuple[list[R], float]:
        return best_of(work, items, len(files), clock_s)

    _, bare_ms = timed(lambda data: bare_pixels(BytesIO(data)), files)
    pictures, read_ms = timed(lambda data: preprocess.read_picture(data, contract), files)
    reader = ProcessReader(contract)
    reader.read(files[0])
    pid = reader.child.process.pid
    _, apart_ms = timed(reader.read, files, lambda: time.process_time() + process_cpu_s(pid))
    reader.close()
    decoded = [drafted(data, contract.shorter_side_pixels) for data in files]
    _, subject_ms = timed(preprocess._subject, decoded)
    small, small_ms = timed(preprocess._small, decoded)
    pairs = [(np.asarray(pixels), picture.levels) for pixels, picture in zip(small, pictures, strict=True)]
    size = FileSize(1000, 1000, 100_000, "JPEG")
    _, facts_ms = timed(lambda pair: facts_of(*pair, size), pairs)
    _, low_ms = timed(preprocess._deviation, [Image.fromarray(picture.levels) for picture in pictures])
    inputs, input_ms = timed(lambda group: model_input(group, contract), batched(pictures, GROUP))
    _, model_ms = timed(lambda pixels: classifier._session.run(None, {contract.name: pixels}), inputs)
    answers, classify_ms = timed(classifier.classify, inputs)
    flat = [answer for group in answers for answer in group]
    mapper = KeywordMapper.of(Vocabulary.load(), [known.id for known in classifier.card.classes], (Head.load(STARTER),))
    _, keywords_ms = timed(lambda answer: mapper.keywords(strongest(answer.scores), answer.vector), flat)
    facts_ms += small_ms + low_ms
    times = {
        "open, decode, resize": (bare_ms, read_ms - subject_ms - facts_ms),
        "find the product's box": (None, subject_ms),
        "facts: colours, sharpness, border": (None, facts_ms),
        "in a process of its own, over a pipe": (None, apart_ms - read_ms),
        "to the model's input": (None, input_ms),
        f"the model, {GROUP} photos at once": (model_ms, model_ms),
        "class scores and feature vector": (None, classify_ms - model_ms),
        "keywords": (None, keywords_ms),
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
    figures = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "parts": measure()}
    print(*parts_table(figures), sep="\n")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
