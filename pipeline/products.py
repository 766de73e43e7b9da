"""What a product pattern makes of a catalogue's keys: examples, and products that merge photos of several folders."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.not_pictures import skip_reason
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.images import ImageRef
    from pipeline.product_pattern import ProductPattern

SAMPLE = 1000  # images; chosen by us: one call of a listing, and enough to show a pattern (DECISIONS.md, 103)
EXAMPLES = 3
MANY_PHOTOS = 20  # of one product, from several folders, are a warning; chosen by us: few products have as many


def describe_products(images: Iterable[ImageRef], pattern: ProductPattern) -> tuple[list[str], str]:
    """Return lines that show the products of some of the first images, and a warning or an empty text.

    Photos of one product share what people decide, so a pattern that merges products is seen before a load.
    """
    sample = list(islice((image for image in images if skip_reason(image.key) is None), SAMPLE))
    examples = [
        f"{printable(image.key)} is a photo of the product {printable(pattern.product_of(image))}"
        for image in sample[:: max(1, len(sample) // EXAMPLES)][:EXAMPLES]
    ]
    return examples, _warning(sample, pattern)


def _warning(sample: list[ImageRef], pattern: ProductPattern) -> str:
    photos = Counter(pattern.product_of(image) for image in sample)
    folders: dict[str, set[str]] = {}
    for image in sample:
        folders.setdefault(pattern.product_of(image), set()).add(image.key.rpartition("/")[0])
    for product, count in photos.most_common():
        if count >= MANY_PHOTOS and len(folders[product]) > 1:
            merged = f"{count:,} of the first {len(sample):,} photos, from {len(folders[product]):,} folders"
            return f"{merged}, are one product, {printable(product)}; ProductPattern says otherwise"
    return ""
