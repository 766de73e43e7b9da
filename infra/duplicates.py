"""`catalog-tagger duplicates`: the same photo under several names, which colour variants are not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import click
import numpy as np
from numpy.typing import NDArray

from infra.photos import KnownPhoto, known_photos, photo_bytes
from pipeline.errors import ImageRejected
from pipeline.keywords import Vocabulary
from pipeline.progress import Progress
from pipeline.terminal import printable
from pipeline.vectors import FeatureVector
from results_sink.search.duplicates import alike_pairs, groups_of
from tagging_lambda.image.same_photo import PhotoPrint, is_same_photo
from tagging_lambda.image.small_photo import print_reader

PRINTS_KEPT = 512  # chosen by us: half a megabyte each; pairs of photos that are alike follow each other


@dataclass(frozen=True, slots=True)
class Comparable:
    """Photos that can be compared: their names, and vectors of one space.

    Attributes:
        vectors: int8 [n, D].
        left_out: how many photos have no vector, or one of another model.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.int8]
    left_out: int


@click.command()
@click.argument("place", metavar="FOLDER|EXPORT|s3://BUCKET/PREFIX|MANIFEST")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, and nothing else.")
def duplicates(place: str, *, as_json: bool) -> int:
    """Group the same photo under several names: recompressed, made smaller, cut, mirrored or padded.

    Stored vectors name the photos that are most alike; only those are opened and compared. Products that differ in
    colour alone are never one group.
    """
    with Progress("duplicates", quiet=as_json) as progress:
        photos = comparable_photos(progress.over(known_photos(place, Vocabulary.load())))
    read = photo_bytes(place)
    with print_reader() as print_of:
        groups = duplicate_names(photos, same_by_pixels(lambda name: print_of(read(name))))
    if as_json:
        click.echo(json.dumps({"groups": groups}))
        return 0
    _print_groups(groups, photos)
    return 0


def _print_groups(groups: Sequence[Sequence[str]], photos: Comparable) -> None:
    for group in groups:
        click.echo("  ".join(printable(name) for name in group))
    click.echo(f"groups of duplicates: {len(groups):,}, among {len(photos.names):,} photos")
    if photos.left_out:
        click.echo(f"left out: {photos.left_out:,}, which could not be read or were tagged by another model")


def comparable_photos(photos: Iterable[KnownPhoto]) -> Comparable:
    """Return what can be compared of the photos: those of the vector space that most of them have."""
    rows: list[tuple[str, FeatureVector]] = []
    left_out = 0
    for photo in photos:
        if photo.vector:
            rows.append((photo.name, photo.vector))
        else:
            left_out += 1
    if not rows:
        return Comparable((), np.empty((0, 0), np.int8), left_out)
    [(space, _)] = Counter(vector.space for _, vector in rows).most_common(1)
    kept = [row for row in rows if row[1].space == space]
    return Comparable(
        tuple(name for name, _ in kept),
        np.stack([np.frombuffer(vector.data, np.int8) for _, vector in kept]),
        left_out + len(rows) - len(kept),
    )


def duplicate_names(photos: Comparable, are_same: Callable[[str, str], bool]) -> list[list[str]]:
    """Return the names of each group, sorted; ``are_same`` decides on each pair that may be one."""

    def confirmed() -> Iterable[tuple[int, int]]:
        for left, right in alike_pairs(photos.vectors):
            if are_same(photos.names[left], photos.names[right]):
                yield left, right

    groups = groups_of(confirmed(), len(photos.names))
    return sorted(sorted(photos.names[row] for row in group) for group in groups)


def same_by_pixels(print_of: Callable[[str], PhotoPrint]) -> Callable[[str, str], bool]:
    """Return what says of two names whether they are of the same photo; one that cannot be read is none other's."""

    @lru_cache(maxsize=PRINTS_KEPT)
    def kept_print(name: str) -> PhotoPrint | None:
        try:
            return print_of(name)
        except ImageRejected:
            return None

    def are_same(first: str, second: str) -> bool:
        left, right = kept_print(first), kept_print(second)
        return left is not None and right is not None and is_same_photo(left, right)

    return are_same
