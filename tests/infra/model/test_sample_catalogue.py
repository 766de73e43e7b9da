"""The sample catalogue is there whole or not at all."""

from __future__ import annotations

import pytest

from infra.model.sample_catalogue import sample_catalogue
from pipeline.errors import CallerError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def silent(_):
    """Say nothing."""


def test_each_photo_knows_its_product(home, registry, tiny_shop):
    catalogue = sample_catalogue(home, registry.npm, silent, tiny_shop)
    assert [(photo.path.name, photo.product, photo.product_name) for photo in catalogue.photos] == [
        ("red.jpg", "red-cup", "Red cup"),
        ("green.jpg", "cups", "Two cups"),
        ("b.jpg", "cups", "Two cups"),
    ]


def test_the_folder_holds_the_photos_and_the_products_and_nothing_else(home, registry, tiny_shop):
    catalogue = sample_catalogue(home, registry.npm, silent, tiny_shop)
    assert sorted(path.name for path in catalogue.folder.iterdir()) == ["b.jpg", "green.jpg", "products.csv", "red.jpg"]


def test_the_second_time_nothing_is_fetched(home, registry, tiny_shop):
    first = sample_catalogue(home, registry.npm, silent, tiny_shop)
    registry.vanish()
    assert sample_catalogue(home, registry.npm, silent, tiny_shop) == first


def test_a_photo_that_was_lost_is_put_back(home, registry, tiny_shop):
    catalogue = sample_catalogue(home, registry.npm, silent, tiny_shop)
    catalogue.photos[0].path.unlink()
    sample_catalogue(home, registry.npm, silent, tiny_shop)
    assert catalogue.photos[0].path.exists()


def test_a_failed_download_leaves_no_catalogue_behind(home, registry, tiny_shop):
    registry.break_off()
    with pytest.raises(CallerError):
        sample_catalogue(home, registry.npm, silent, tiny_shop)
    assert [path.name for path in home.rglob("*")] == ["downloads"]
