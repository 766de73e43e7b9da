"""Which product a key belongs to, where no manifest says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import BadSettings
from pipeline.messages import checked_product

if TYPE_CHECKING:
    from pipeline.images import ImageRef

# The key without its extension: equal file names in different folders do not make one product.
DEFAULT_PRODUCT_PATTERN = r"(?s)^(?P<product>.+?)(?:\.[^./]*)?$"


@dataclass(frozen=True, slots=True)
class ProductPattern:
    """How a product's id is read from a key if no manifest gives it."""

    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> ProductPattern:
        """Return the pattern, a regular expression with a group named ``product``.

        Raises:
            BadSettings: it is no regular expression, or has no such group.
        """
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise BadSettings(f"PRODUCT_PATTERN is not a regular expression: {error}") from error
        if "product" not in pattern.groupindex:
            raise BadSettings(f"PRODUCT_PATTERN {text!r} has no group named product: (?P<product>...)")
        return cls(pattern)

    def product_of(self, image: ImageRef) -> str:
        """Return the product's id: what the group matched, or the whole key where nothing matches."""
        match = self.pattern.search(image.key)
        return checked_product((match and match["product"]) or image.key)
