"""What the formats say of a photo or a product, before any of them writes it down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.records import Record, TaggedImage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.keywords import Vocabulary

ID_BYTES = 16  # of a digest: two of a billion photos share an id with a chance of 1 in 10^20


def document_id(image: str) -> str:
    """Return an id for an image that every engine accepts: Meilisearch takes letters, digits, hyphens, underscores."""
    return hashlib.sha256(image.encode()).hexdigest()[: 2 * ID_BYTES]


def keyword_names(keyword_ids: Iterable[str], vocabulary: Vocabulary, language: str) -> list[str]:
    """Return the words of these keywords and of everything above them that a photo can get, each once."""
    names: dict[str, None] = {}
    for keyword_id in keyword_ids:
        if keyword_id not in vocabulary.nodes:
            names[keyword_id] = None
            continue
        line = (keyword_id, *vocabulary.ancestors(keyword_id))
        names.update(
            (vocabulary.nodes[node].name(language), None) for node in line if vocabulary.nodes[node].is_emitted
        )
    return list(names)


def category_path(keyword_ids: Iterable[str], vocabulary: Vocabulary, language: str) -> list[str]:
    """Return the way from the department to the first keyword: ``["fashion", "footwear", "boot"]``; empty if unknown.

    A keyword with several parents follows the first one.
    """
    node_id = next((keyword_id for keyword_id in keyword_ids if keyword_id in vocabulary.nodes), None)
    path: list[str] = []
    while node_id is not None:
        node = vocabulary.nodes[node_id]
        if node.is_emitted:
            path.insert(0, node.name(language))
        node_id = next(iter(node.parents), None)
    return path


def category_levels(path: list[str]) -> dict[str, str]:
    """Return the path as Algolia's hierarchical facets: ``{"lvl0": "fashion", "lvl1": "fashion > footwear"}``."""
    return {f"lvl{depth}": " > ".join(path[: depth + 1]) for depth in range(len(path))}


@dataclass
class ProductKeywords:
    """A product with its photos and their keywords, the surest first."""

    product: str
    images: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)

    def add(self, record: TaggedImage) -> None:
        """Take a photo of the product in."""
        self.images.append(str(record.observation.image))
        for tag in record.keywords:
            self.scores[tag.keyword_id] = max(tag.score, self.scores.get(tag.keyword_id, 0.0))

    def keyword_ids(self, vocabulary: Vocabulary) -> list[str]:
        """Return the ids of the keywords, the most specific first, then the surest."""
        depth = {keyword_id: len(category_path([keyword_id], vocabulary, "en")) for keyword_id in self.scores}
        return sorted(self.scores, key=lambda keyword_id: (-depth[keyword_id], -self.scores[keyword_id]))


def by_product(records: Iterable[Record]) -> list[ProductKeywords]:
    """Return the tagged products, sorted by their ids. Takes some 500 bytes of memory a photo."""
    products: dict[str, ProductKeywords] = {}
    for record in records:
        if isinstance(record, TaggedImage):
            product = record.observation.product
            products.setdefault(product, ProductKeywords(product)).add(record)
    return [products[product] for product in sorted(products)]
