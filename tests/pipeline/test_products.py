"""What a product pattern makes of a catalogue is seen by examples, and where it merges products, by a warning."""

from __future__ import annotations

from pipeline.images import ImageRef
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.products import EXAMPLES, MANY_PHOTOS, SAMPLE, describe_products

BY_KEY, BY_FILE = ProductPattern.parse(DEFAULT_PRODUCT_PATTERN), ProductPattern.parse(r"(?P<product>[^/.]+)[.][^/]+$")


def fronts(count: int) -> list[ImageRef]:
    return [ImageRef("shop", f"SKU-{number}/front.jpg") for number in range(count)]


def test_examples_come_from_all_over_the_catalogue() -> None:
    examples, warning = describe_products(fronts(SAMPLE), BY_KEY)

    assert examples[0] == "SKU-0/front.jpg is a photo of the product SKU-0/front"
    assert len(set(examples)) == EXAMPLES
    assert "SKU-666" in examples[-1]
    assert warning == ""


def test_many_photos_of_different_folders_that_are_one_product_are_a_warning() -> None:
    _, warning = describe_products(fronts(MANY_PHOTOS), BY_FILE)

    assert warning.startswith("20 of the first 20 photos, from 20 folders, are one product, front;")
    assert describe_products(fronts(MANY_PHOTOS - 1), BY_FILE)[1] == ""
    assert describe_products([ImageRef("shop", f"a/front.{number}") for number in range(50)], BY_FILE)[1] == ""


def test_an_empty_catalogue_has_no_example() -> None:
    assert describe_products([], BY_KEY) == ([], "")
