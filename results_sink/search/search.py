"""The verb search: a query is evaluated over the postings of a snapshot and answered with results and facets."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.keywords import LANGUAGES
from results_sink.search.cursor import Place
from results_sink.search.facets import Facets
from results_sink.search.grouped import Grouped
from results_sink.search.index import Index
from results_sink.search.layered import Layered
from results_sink.search.query import AllOf, AnyOf, AtLeast, Term, Without, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.keywords import KeywordTag, Vocabulary
    from results_sink.export.delta import Delta
    from results_sink.search.facets import Facet
    from results_sink.search.hits import Hits
    from results_sink.search.query import Node
    from results_sink.search.snapshot import Snapshot

LIMIT = 20  # results, where none is given
FACETS = 20  # the most facets of an answer, chosen by us


@dataclass(frozen=True, slots=True)
class Found:
    """One result: an image, or the best image of a product."""

    image: str
    product: str
    score: float
    keywords: tuple[KeywordTag, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The results, best first, how many there are in all, and how many of them carry each keyword."""

    query: str
    total: int
    results: tuple[Found, ...]
    facets: tuple[Facet, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and which of its results are wanted: ``limit`` of them behind the first ``offset``.

    ``least`` is the lowest score of a result; ``language`` is that of the facets' names.
    """

    query: str
    limit: int = LIMIT
    offset: int = 0
    per_product: bool = False
    least: float = 0.0
    facets: int = FACETS
    language: str = LANGUAGES[0]


class Searcher:
    """Answers queries from one snapshot with the words of one vocabulary, one query at a time."""

    def __init__(self, snapshot: Snapshot, vocabulary: Vocabulary) -> None:
        """Read nothing yet."""
        self._vocabulary = vocabulary
        self._base = Index(snapshot)
        self._lay({})
        self._facets: dict[str, Facets] = {}  # by language
        self._snapshot = snapshot

    def _lay(self, deltas: dict[str, Delta]) -> None:
        self._layered = Layered(self._base, deltas) if deltas else None
        self._index = self._layered or self._base
        self._last_delta = next(reversed(deltas), "")

    def under(self, deltas: dict[str, Delta]) -> Searcher:
        """Return what answers from the same snapshot under these deltas, by name, and shares what was read of it."""
        other = copy(self)
        other._lay(deltas)  # noqa: SLF001 - of its own kind
        return other

    @property
    def place(self) -> Place:
        """What is searched."""
        return Place(self._snapshot.manifest.snapshot, self._last_delta)

    @property
    def changes(self) -> int:
        """How many images were laid over the snapshot."""
        return self._layered.changes if self._layered else 0

    @cached_property
    def images_by_keyword(self) -> dict[str, int]:
        """How many images of the snapshot carry each keyword."""
        found: Counter[str] = Counter()
        for part in self._snapshot.manifest.postings:
            found.update({keyword.keyword_id: keyword.rows for keyword in part.keywords})
        return dict(found)

    def search(self, query: str, limit: int = LIMIT, *, per_product: bool = False) -> Answer:
        """Return the answer to a query.

        Raises:
            CallerError: the query has a mistake, or a word is no keyword.
            BadExport: a file that is needed is missing or damaged.
        """
        return self.answer(Asked(query, limit, per_product=per_product))

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to what is asked, and raise as ``search`` does."""
        node = parse(asked.query, self._vocabulary)
        hits = self._index.find(node).at_least(asked.least)
        grouped = Grouped.of(hits, self._index.products_of(hits.rows)) if asked.per_product else None
        facets = self._counted(hits, grouped, asked) if asked.facets else ()
        total = len(hits.rows) if grouped is None else len(grouped)
        best = (hits if grouped is None else grouped).best(asked.offset + asked.limit)
        return Answer(asked.query, total, self._found(best.after(asked.offset), node), facets)

    def _counted(self, hits: Hits, grouped: Grouped | None, asked: Asked) -> tuple[Facet, ...]:
        codes = self._index.set_codes(hits.rows)
        if asked.language not in self._facets:
            self._facets[asked.language] = Facets(self._vocabulary, asked.language)
        facets = self._facets[asked.language]
        facets.learn(self._index.sets)
        if grouped is None or len(grouped) == len(hits.rows):
            return facets.of_images(codes, asked.facets)
        return facets.of_groups(grouped.in_order(codes), grouped.starts, asked.facets)

    def _found(self, best: Hits, node: Node) -> tuple[Found, ...]:
        shown = self._index.shown(best.rows.tolist(), set(_keyword_ids(node)))
        return tuple(
            Found(each.image, each.product, score, each.keywords)
            for each, score in zip(shown, best.scores.tolist(), strict=True)
        )


def _keyword_ids(node: Node) -> Iterator[str]:
    """Yield the keywords by which an image can have been found."""
    match node:
        case Term():
            yield from node.keyword_ids
        case AllOf() | AnyOf():
            for part in node.parts:
                yield from _keyword_ids(part)
        case AtLeast():
            yield from _keyword_ids(node.part)
        case Without():
            return
