"""Processor time of facts a photo, of the nearest vectors among many, and of finding pairs that may be duplicates.

`python -m tests.bench.bench_signals [VECTORS]`: one table, on one thread where OMP_NUM_THREADS=1 is set.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from results_sink.search.nearest import unit_rows

DIMENSIONS = 256
# How many kinds of things there are, and types within them, and how much of a vector each level makes up: chosen so
# that of 11,496 vectors the nearest, the 8th, 50th and 250th have the cosines that they have among as many photos of
# clothes, goods, groceries and packshots: .79, .67, .56 and .42 in the median. Products grow with the photos.
KINDS, TYPES, PHOTOS_OF_A_PRODUCT = 50, 300, 4
LEVEL_SHARES = (0.36, 0.16, 0.20)  # of kind, type, product; the rest is the photo's own
COPIES = 3_000  # of each cosine
COPY_COSINES = (0.95, 0.85, 0.75)  # of a photo that was cut, padded in white and padded in black: typical ones
CHECKED = 500  # copies of each cosine that are also compared with all vectors


def made_vectors(count: int) -> np.ndarray:
    """Return int8 vectors of products of types of kinds, whose axes vary as those of real projections do."""
    rng = np.random.default_rng(1)
    products = np.zeros((1, DIMENSIONS), np.float32)
    for size, share in zip((KINDS, TYPES, max(1, count // PHOTOS_OF_A_PRODUCT)), LEVEL_SHARES, strict=True):
        own = rng.standard_normal((size, DIMENSIONS), np.float32) * np.float32(np.sqrt(share))
        products = products[rng.integers(0, len(products), size)] + own
    vectors = np.empty((count, DIMENSIONS), np.int8)
    for first in range(0, count, 50_000):
        rows = min(50_000, count - first)
        own = rng.standard_normal((rows, DIMENSIONS), np.float32) * np.float32(np.sqrt(1 - sum(LEVEL_SHARES)))
        vectors[first : first + rows] = in_levels((products[rng.integers(0, len(products), rows)] + own) * _falling())
    return vectors


def in_levels(values: np.ndarray) -> np.ndarray:
    """Return float32 [n, D] as int8, as records store vectors."""
    return np.rint(values / np.abs(values).max(axis=1, keepdims=True) * 127).astype(np.int8)


def _falling() -> np.ndarray:
    """Return the length of each axis, as real projections have it: float32 [D]."""
    return (1 / np.sqrt(1 + np.arange(DIMENSIONS))).astype(np.float32)


def plant_copies(vectors: np.ndarray) -> dict[float, list[tuple[int, int]]]:
    """Replace some of the vectors by near copies of others, and return the pairs of rows by their cosine."""
    rng = np.random.default_rng(2)
    rows = rng.permutation(len(vectors))
    pairs = {}
    for number, cosine in enumerate(COPY_COSINES):
        count = min(COPIES, len(vectors) // 10)
        originals, copies = np.split(rows[2 * number * count : 2 * (number + 1) * count], 2)
        unit = unit_rows(vectors[originals])
        noise = rng.normal(size=unit.shape).astype(np.float32) * _falling()
        noise = unit_rows(noise - (noise * unit).sum(axis=1, keepdims=True) * unit)
        values = cosine * unit + np.sqrt(1 - cosine**2) * noise
        vectors[copies] = in_levels(values)
        pairs[cosine] = [tuple(sorted(pair)) for pair in zip(originals.tolist(), copies.tolist(), strict=True)]
    return pairs


def measure_facts() -> None:
    """Print the processor time of facts, of a picture with a product on white."""
    from PIL import Image

    from tagging_lambda.image.decode import _measured
    from tagging_lambda.image.signals import FileSize

    rng = np.random.default_rng(1)
    small = np.full((96, 96, 3), 255, np.uint8)
    small[20:80, 25:75] = rng.integers(0, 255, (60, 50, 3), np.uint8)
    pictures = (Image.fromarray(rng.integers(0, 255, (224, 224, 3), np.uint8)), Image.fromarray(small))
    _measured(*pictures, FileSize(1600, 1200, 1, "JPEG"))
    begun_s = time.process_time()
    for _ in range(300):
        _measured(*pictures, FileSize(1600, 1200, 1, "JPEG"))
    print(f"facts: {(time.process_time() - begun_s) / 300 * 1000:.2f} ms of processor time a photo")


def measure_nearest(vectors: np.ndarray) -> None:
    """Print how long a search for the twelve nearest takes, by looks and words."""
    from pipeline.settings import starter_head_dir
    from results_sink.search.nearest import VectorIndex
    from results_sink.search.shared_words import HeadWords

    words = HeadWords.load(json.loads((starter_head_dir() / "card.json").read_text())["space"])
    begun_s = time.perf_counter()
    index = VectorIndex.of(vectors, words)
    print(f"index of {len(vectors):,} vectors: {time.perf_counter() - begun_s:.1f} s")
    times_ms, processor_ms = [], []
    for row in range(0, len(vectors), max(1, len(vectors) // 100)):
        begun_s, begun_processor_s = time.perf_counter(), time.process_time()
        index.nearest(vectors[row].astype(np.float32), 12)
        times_ms.append((time.perf_counter() - begun_s) * 1000)
        processor_ms.append((time.process_time() - begun_processor_s) * 1000)
    for clock, measured in (("by the clock", times_ms), ("of processor time", processor_ms)):
        half, most = np.percentile(measured, [50, 99])
        print(f"nearest 12: {half:.1f} ms, p99 {most:.1f} ms {clock}")


def measure_pairs(vectors: np.ndarray) -> None:
    """Print how long it takes to find the pairs that may be duplicates, the memory, and how many copies are found."""
    from results_sink.search.duplicates import alike_pairs

    copies = plant_copies(vectors)
    wanted = {pair for pairs in copies.values() for pair in pairs}
    begun_s, begun_processor_s = time.perf_counter(), time.process_time()
    count, near = 0, set()
    for pair in alike_pairs(vectors):
        count += 1
        if tuple(sorted(pair)) in wanted:
            near.add(tuple(sorted(pair)))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    seconds, processor_s = time.perf_counter() - begun_s, time.process_time() - begun_processor_s
    print(f"pairs: {count:,} of {len(vectors):,} photos in {seconds:.1f} s, {processor_s:.1f} s of processor time")
    print(f"memory: {memory_mb:,.0f} MB")
    for cosine, pairs in copies.items():
        share = np.mean([pair in near for pair in pairs])
        exact = {pair for pair, is_near in zip(pairs, are_nearest(vectors, pairs[:CHECKED]), strict=False) if is_near}
        print(
            f"copies at cosine {cosine}: {share:.4f} of {len(pairs):,} are pairs; of {len(pairs[:CHECKED]):,}, ", end=""
        )
        print(f"{len(exact):,} are when each is compared with all, and {len(exact & near):,} of these were found")


def are_nearest(vectors: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return bool [pairs]: whether one is among the most alike of the other, each compared with all vectors."""
    from results_sink.search.duplicates import NEIGHBOURS

    rows = np.array(pairs).T.ravel()
    units = unit_rows(vectors[rows])
    half = len(pairs)
    cosines = np.tile((units[:half] * units[half:]).sum(axis=1), 2)
    closer = np.zeros(len(rows), np.int64)
    for first in range(0, len(vectors), 20_000):
        closer += (unit_rows(vectors[first : first + 20_000]) @ units.T > cosines + 1e-6).sum(axis=0)
    return (closer - 1 < NEIGHBOURS).reshape(2, half).any(axis=0)  # less itself


def main() -> None:
    """Print the table."""
    vectors = made_vectors(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    measure_facts()
    measure_nearest(vectors)
    measure_pairs(vectors)


if __name__ == "__main__":
    main()
