"""What a query finds among images: the tree that was read of it, combined from what its words find."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Protocol

from results_sink.search.query import AllOf, AnyOf, AtLeast, Term, Without

if TYPE_CHECKING:
    from results_sink.search.hits import Algebra, Hits
    from results_sink.search.query import Node


class Layer(Protocol):
    """Images that are asked together: those of a snapshot, or those that changed since."""

    @property
    def algebra(self) -> Algebra:
        """Combines hits among these images."""
        ...

    @property
    def tagged(self) -> Hits:
        """All tagged images, with the score 1."""
        ...

    def term(self, keyword_ids: frozenset[str]) -> Hits:
        """Return the images that have any of these keywords, by the best of their scores."""
        ...


# DECISIONS.md, 28
def evaluated(node: Node, layer: Layer) -> Hits:
    """Return the images of the layer that the query finds.

    Each image is found, or not, by its own keywords alone; so layers are asked one by one.
    """
    match node:
        case Term():
            return layer.term(node.keyword_ids)
        case AnyOf():
            return layer.algebra.union([evaluated(part, layer) for part in node.parts])
        case AllOf():
            return _all_of(node, layer)
        case Without():
            return layer.algebra.difference(layer.tagged, evaluated(node.part, layer))
        case AtLeast():
            return evaluated(node.part, layer).at_least(node.score)


def _all_of(node: AllOf, layer: Layer) -> Hits:
    """Return what all parts find; what is only to be left out needs no list of all other images."""
    wanted = [evaluated(part, layer) for part in node.parts if not isinstance(part, Without)]
    unwanted = [evaluated(part.part, layer) for part in node.parts if isinstance(part, Without)]
    fewest_first = sorted(wanted, key=lambda each: len(each.rows)) or [layer.tagged]
    return reduce(layer.algebra.difference, unwanted, reduce(layer.algebra.intersection, fewest_first))
