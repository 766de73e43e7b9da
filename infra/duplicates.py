"""`catalog-tagger duplicates`: the same photo under several names, which colour variants are not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import click
import numpy as np

from pipeline.errors import ImageRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from infra.photos import KnownPhoto
    from tagging_lambda.image.same_photo import PhotoPrint

PRINTS_KEPT = 256  # chosen by us: 0.7 MB each; pairs come in an order in which a photo's own follow each other


@dataclass(frozen=True, slots=True)
class Comparable:
    """Photos that can be compared: their names, vectors of one space, and palettes.

    Attributes:
        vectors: int8 [n, D].
        palettes: uint8 [n, 15].
        left_out: how many photos have no vector, no facts, or a vector of another model.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.int8]
    palettes: NDArray[np.uint8]
    left_out: int


@click.command()
@click.argument("place", metavar="FOLDER|s3://BUCKET/PREFIX|MANIFEST")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, and nothing else.")
def duplicates(place: str, *, as_json: bool) -> int:
    """Group the same photo under several names: recompressed, made smaller, cut, mirrored or padded.

    Stored vectors and colours name the photos that may be the same; only those are opened and compared. Products that
    differ in colour alone are never one group.
    """
    from infra.photos import known_photos, photo_bytes  # noqa: PLC0415 - imported when the command is used
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as above
    from pipeline.progress import Progress  # noqa: PLC0415 - as above
    from tagging_lambda.image.photo_print import print_reader  # noqa: PLC0415 - as above

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
    from pipeline.terminal import printable  # noqa: PLC0415 - as above

    for group in groups:
        click.echo("  ".join(printable(name) for name in group))
    click.echo(f"{len(groups):,} groups of duplicates among {len(photos.names):,} photos")
    if photos.left_out:
        click.echo(f"{photos.left_out:,} photos were left out: they could not be read, or were tagged by another model")


def comparable_photos(photos: Iterable[KnownPhoto]) -> Comparable:
    """Return what of the photos can be compared: those of the vector space that most of them have."""
    known = [photo for photo in photos]  # noqa: C416 - named for what it holds
    spaces: dict[str, int] = {}
    for photo in known:
        if photo.vector and photo.facts:
            spaces[photo.vector.space] = spaces.get(photo.vector.space, 0) + 1
    space = max(spaces, key=lambda name: spaces[name], default="")
    kept = [photo for photo in known if photo.vector and photo.facts and photo.vector.space == space]
    vectors = [np.frombuffer(photo.vector.data, np.int8) for photo in kept if photo.vector]
    palettes = [np.frombuffer(photo.facts.palette, np.uint8) for photo in kept if photo.facts]
    return Comparable(
        tuple(photo.name for photo in kept),
        np.stack(vectors) if vectors else np.empty((0, 0), np.int8),
        np.stack(palettes) if palettes else np.empty((0, 0), np.uint8),
        len(known) - len(kept),
    )


def duplicate_names(photos: Comparable, are_same: Callable[[str, str], bool]) -> list[list[str]]:
    """Return the names of each group, sorted; ``are_same`` decides on each pair that may be one."""
    from results_sink.search.duplicates import Likeness, duplicate_pairs, groups_of  # noqa: PLC0415 - as above

    def confirmed() -> Iterable[tuple[int, int]]:
        for left, right in duplicate_pairs(photos.vectors, photos.palettes, Likeness()):
            if are_same(photos.names[left], photos.names[right]):
                yield left, right

    groups = groups_of(confirmed(), len(photos.names))
    return sorted(sorted(photos.names[row] for row in group) for group in groups)


def same_by_pixels(print_of: Callable[[str], PhotoPrint]) -> Callable[[str, str], bool]:
    """Return what says of two names whether they are of the same photo; one that cannot be read is none other's."""
    from tagging_lambda.image.same_photo import is_same_photo  # noqa: PLC0415 - as above

    @lru_cache(maxsize=PRINTS_KEPT)
    def kept_print(name: str) -> PhotoPrint | None:
        try:
            return print_of(name)
        except ImageRejected:
            return None

    def are_same(one: str, other: str) -> bool:
        left, right = kept_print(one), kept_print(other)
        return left is not None and right is not None and is_same_photo(left, right)

    return are_same
