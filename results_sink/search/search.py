"""The verb search: answers a query from a snapshot and the changes since, with results and facets."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.keywords import LANGUAGES, KeywordTag, Source, Vocabulary
from results_sink.export.columns import read_images
from results_sink.search.catalogue import Catalogue
from results_sink.search.contradictions import ListingReader, contradicted
from results_sink.search.cursor import ExportState
from results_sink.search.facets import Facet, FacetCounter, FacetNames
from results_sink.search.filters import NO_FILTERS, Filters
from results_sink.search.image_index import NOT_FOUND, ImageIndex
from results_sink.search.precision import PrecisionForecast, forecast
from results_sink.search.query import Everything, Node, ParsedQuery, parse
from results_sink.search.ranking import best_of_products, best_places, by_product
from results_sink.search.rule_breaks import breaks, exported_facts, parse_rule
from results_sink.search.vectors import ExportedVectors, changed_vectors, exported_vectors
from results_sink.search.words import HEAD_COMES_FIRST, Correction, QueryWords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from pipeline.listing import Listing
    from results_sink.search.snapshot import Snapshot

LIMIT = 20  # default number of results
FACETS = 20  # per answer at most, chosen by us
SUGGESTIONS = 3  # near words, if nothing was found
AVAILABLE = 10  # keywords of the whole catalogue, if nothing was found


class Sort(StrEnum):
    """In which order results come."""

    SCORE = "score"
    LEAST_SURE = "least_sure"
    NEWEST = "newest"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One result: an image, or the best image of a product."""

    image: str
    product: str
    score: float
    keywords: tuple[KeywordTag, ...]
    listing: Listing


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The results, best first, their total, and how many of them carry each keyword.

    Attributes:
        query: as received.
        total: on all pages.
        results: of this page.
        facets: the most frequent keywords of all results.
        ignored: the words left out, because they mean nothing.
        corrections: the misspelled words, corrected.
        suggestions: words near those left out, if nothing was found.
        available: the most frequent keywords of the whole catalogue, if nothing was found.
        as_of: when the newest change in the searched state was made; None if unknown.
    """

    query: str
    total: int
    results: tuple[SearchHit, ...]
    facets: tuple[Facet, ...]
    ignored: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    suggestions: tuple[str, ...] = ()
    available: tuple[Facet, ...] = ()
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and the page of results wanted: ``limit`` of them after the first ``offset``.

    ``least`` is the lowest score of a result; words are looked up in the person's ``language`` first, and facets are
    named in it. ``may_be_empty`` means that an empty query finds every image, even without a filter.
    """

    query: str
    limit: int = LIMIT
    offset: int = 0
    per_product: bool = False
    least: float = 0.0
    facets: int = FACETS
    language: str = LANGUAGES[0]
    filters: Filters = NO_FILTERS
    sort: Sort = Sort.SCORE
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SimilarRequest:
    """A vector, and how many of its nearest images are wanted.

    Attributes:
        space: the vector's space.
        query: float32 [D], of any length but 0.
        limit: the most results.
        per_product: whether a product appears once, by its nearest image.
        without_product: a product whose images are left out.
    """

    space: str
    query: NDArray[np.float32]
    limit: int
    per_product: bool = False
    without_product: str = ""
    without_image: str = ""


class _SnapshotParts:
    """What was read of a snapshot, or computed from it alone: all of its states share it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.names: dict[str, FacetNames] = {}  # by language
        self.vectors: dict[str, ExportedVectors | None] = {}  # by space
        self.flags: dict[str, NDArray[np.bool_]] = {}  # by filter

    @cached_property
    def index(self) -> ImageIndex:
        return ImageIndex(read_images(self.snapshot.open_images()))

    @cached_property
    def facts(self) -> list[bytes | None]:
        return exported_facts(self.snapshot)


class Searcher:
    """Answers queries from one snapshot with the words of one vocabulary, one query at a time."""

    def __init__(self, snapshot: Snapshot, vocabulary: Vocabulary, words: QueryWords | None = None) -> None:
        """Read nothing yet; ``words``, if given, are the sorted words of the same vocabulary."""
        self._base = _SnapshotParts(snapshot)
        self._snapshot = snapshot
        self._vocabulary = vocabulary
        self._words = words or QueryWords(vocabulary)
        self._lay({})

    def _lay(self, deltas: Mapping[str, Any], as_of: datetime | None = None) -> None:
        self._deltas = list(deltas.values())
        self._last_delta = list(deltas)[-1] if deltas else ""
        self._counters: dict[str, FacetCounter] = {}  # by language
        self._changed_vectors: dict[str, ExportedVectors | None] = {}  # by space
        self._flags: dict[str, NDArray[np.bool_]] = {}  # by filter
        self.as_of = as_of or self._snapshot.manifest.scan_began_at

    def under(self, deltas: Mapping[str, Any], as_of: datetime | None = None) -> Searcher:
        """Return a searcher of the same snapshot under these deltas, by name, that shares what was read of it."""
        other = copy(self)
        other.__dict__.pop("_catalogue", None)
        other._lay(deltas, as_of)  # noqa: SLF001 - the same class
        return other

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._base.index, self._deltas)

    @property
    def state(self) -> ExportState:
        """The export state searched."""
        return ExportState(self._snapshot.manifest.snapshot, self._last_delta)

    @property
    def changes(self) -> int:
        """How many images changed since the snapshot."""
        return self._catalogue.changes if self._deltas else 0

    @property
    def has_colours(self) -> bool:
        """Whether the export has the images' colours."""
        return self._catalogue.has_colours

    @cached_property
    def images_by_keyword(self) -> dict[str, int]:
        """How many images of the snapshot carry each keyword."""
        counts: dict[str, int] = {}
        for part in self._snapshot.manifest.postings:
            for keyword in part.keywords:
                counts[keyword.keyword_id] = counts.get(keyword.keyword_id, 0) + keyword.rows
        return counts

    def search(self, query: str, limit: int = LIMIT, *, per_product: bool = False) -> SearchAnswer:
        """Return the answer to a query.

        Raises:
            BadQuery: the query cannot be read.
            BadExport: a file that is needed is missing or damaged.
        """
        return self.answer(SearchRequest(query, limit, per_product=per_product))

    def answer(self, request: SearchRequest) -> SearchAnswer:
        """Return the answer to a request, and raise as ``search`` does."""
        parsed, scores = self._find(request)
        rows = np.flatnonzero(scores >= 0)
        total, facets = self._count(rows, request)
        return SearchAnswer(
            query=request.query,
            total=total,
            results=self._page(rows, scores[rows], request),
            facets=facets,
            ignored=parsed.ignored,
            corrections=parsed.corrections,
            suggestions=() if total else self._near(parsed, request),
            available=() if total else self._most_frequent(request.language),
            as_of=self.as_of,
        )

    def forecast(self, request: SearchRequest, target: float) -> PrecisionForecast:
        """Return the precision of the keywords on a request's results, and the work left until it is ``target``.

        Raises:
            BadQuery: the query cannot be read.
            BadExport: a file that is needed is missing or damaged.
        """
        rows = np.flatnonzero(self._find(request)[1] >= 0)
        catalogue = self._catalogue
        return forecast(
            catalogue.values(lambda part: np.diff(part.columns.offsets))[rows],
            catalogue.values(lambda part: part.columns.expected_errors)[rows],
            catalogue.values(lambda part: part.surest_scores)[rows],
            catalogue.visible(lambda columns: columns.has_source(Source.HUMAN))[rows],
            target,
        )

    def similar(self, request: SimilarRequest) -> tuple[SearchHit, ...]:
        """Return the images nearest to a vector, nearest first; negative scores become 0.

        Raises:
            BadExport: a file that is needed is missing or damaged.
        """
        parts = self._vectors_of(request.space)
        most = sum(len(vectors.rows) for _, vectors in parts)
        is_shown = self._catalogue.visible(lambda columns: columns.is_tagged)
        wanted = request.limit
        while True:
            wanted = min(4 * wanted, most)  # several may show one product
            hits = self._similar_hits(parts, request, wanted, is_shown)
            if len(hits) >= request.limit or wanted == most:
                return hits[: request.limit]

    def _vectors_of(self, space: str) -> list[tuple[int, ExportedVectors]]:
        """Return the vectors of the snapshot and of the changes, each with the offset of its rows."""
        if space not in self._base.vectors:
            self._base.vectors[space] = exported_vectors(self._snapshot, space)
        changed = self._catalogue.changed
        if changed and space not in self._changed_vectors:
            self._changed_vectors[space] = changed_vectors(changed, space)
        first_changed = self._catalogue.rows - len(changed) if changed else 0
        parts = ((0, self._base.vectors[space]), (first_changed, self._changed_vectors.get(space)))
        return [(first_row, vectors) for first_row, vectors in parts if vectors]

    def _similar_hits(
        self,
        parts: Sequence[tuple[int, ExportedVectors]],
        request: SimilarRequest,
        wanted: int,
        is_shown: NDArray[np.bool_],
    ) -> tuple[SearchHit, ...]:
        neighbours = [(first, vectors.rows, vectors.index.nearest(request.query, wanted)) for first, vectors in parts]
        nearest = [
            (score, first + row)
            for first, rows, found_rows in neighbours
            for row, score in zip(rows[found_rows.rows].tolist(), found_rows.scores.tolist(), strict=True)
        ]
        passed = {request.without_product}
        hits = []
        for score, row in sorted(nearest, key=lambda neighbour: (-neighbour[0], neighbour[1]))[:wanted]:
            hit = self._hit(row, min(max(score, 0.0), 1.0))  # float32 may round above 1
            if not is_shown[row] or hit.product in passed or hit.image == request.without_image:
                continue
            if request.per_product:
                passed.add(hit.product)
            hits.append(hit)
        return tuple(hits)

    def counts_of(self, nodes: Mapping[str, Node], request: SearchRequest) -> dict[str, int]:
        """Return how many results each of these nodes leaves when added to the request's query."""
        everything = not request.query.strip() and request.filters == NO_FILTERS
        if everything:
            return {name: self._count(self._rows_of(node), request)[0] for name, node in nodes.items()}
        scores = self._scores_of(self._parse(request), request)
        both = {name: np.minimum(scores, self._catalogue.scores_of(node)) for name, node in nodes.items()}
        return {name: self._count(np.flatnonzero(combined >= 0), request)[0] for name, combined in both.items()}

    def _parse(self, request: SearchRequest) -> ParsedQuery:
        words = self._words.in_language(request.language, has_colours=self._catalogue.has_colours)
        return parse(request.query, words, may_be_empty=request.may_be_empty or request.filters != NO_FILTERS)

    def _find(self, request: SearchRequest) -> tuple[ParsedQuery, NDArray[np.float32]]:
        """Return the query and the score of each image, or ``NOT_FOUND``.

        If nothing matches all the words of a query, words are left out until something does.
        """
        parsed = self._parse(request)
        scores = self._scores_of(parsed, request)
        if not (scores >= 0).any():
            first_words_first = request.language not in HEAD_COMES_FIRST
            for fewer in parsed.with_fewer_words(first_words_first=first_words_first):
                fewer_scores = self._scores_of(fewer, request)
                if (fewer_scores >= 0).any():
                    return fewer, fewer_scores
        return parsed, scores

    def _scores_of(self, parsed: ParsedQuery, request: SearchRequest) -> NDArray[np.float32]:
        """Return the score of each image that matches the request, or ``NOT_FOUND``."""
        if parsed.node is None:
            return np.full(self._catalogue.rows, NOT_FOUND)
        scores = self._catalogue.scores_of(parsed.node)
        if request.filters.reason is not None:  # rejected images have no keywords to match
            scores = np.where(isinstance(parsed.node, Everything), np.ones_like(scores), NOT_FOUND)
        if request.filters != NO_FILTERS:
            scores = np.where(self._passed(request), scores, NOT_FOUND)
        return np.where(scores >= np.float32(request.least), scores, NOT_FOUND) if request.least else scores

    def _passed(self, request: SearchRequest) -> NDArray[np.bool_]:
        """Return which images pass the filters: bool [N].

        Raises:
            CallerError: there is no such photo rule.
        """
        filters = request.filters
        passed = self._catalogue.visible(filters.flags)
        if filters.rule is not None:
            rules = parse_rule(filters.rule)
            passed &= self._by_part(
                filters.rule, lambda part: breaks(rules, self._facts_of(part), part.columns, self._vocabulary)
            )
        if filters.contradicted is not None:
            lexicon = self._words.lexicon(request.language)
            is_contradicted = self._by_part(
                f"contradicted {request.language}",
                lambda part: contradicted(part, ListingReader(lexicon), self._vocabulary),
            )
            passed &= is_contradicted == filters.contradicted
        return passed

    def _by_part(self, name: str, flags: Callable[[ImageIndex], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return the flags of every row; the snapshot's are computed once for all of its states."""
        if name not in self._flags:
            base, *changed = self._catalogue.parts
            if name not in self._base.flags:
                self._base.flags[name] = flags(base)
            self._flags[name] = np.concatenate([self._base.flags[name], *map(flags, changed)])
        return self._flags[name]

    def _facts_of(self, part: ImageIndex) -> Sequence[bytes | None]:
        """Return the packed facts of each image; a snapshot's are read at the first query for a rule."""
        if part.columns is self._catalogue.changed:
            return part.columns.facts or [None] * len(part)
        return self._base.facts

    def _rows_of(self, node: Node) -> NDArray[np.int64]:
        return np.flatnonzero(self._catalogue.scores_of(node) >= 0)

    def _count(self, rows: NDArray[np.int64], request: SearchRequest) -> tuple[int, tuple[Facet, ...]]:
        """Return how many results these images make, and their facets."""
        if not request.per_product:
            counter = self._counter(request.language) if request.facets else None
            return len(rows), counter.of_images(self._catalogue.set_codes[rows], request.facets) if counter else ()
        rows, begins = by_product(rows, self._catalogue.products[rows])
        if not request.facets:
            return len(begins), ()
        codes = self._catalogue.set_codes[rows]
        return len(begins), self._counter(request.language).of_products(codes, begins, request.facets)

    def _page(
        self, rows: NDArray[np.int64], scores: NDArray[np.float32], request: SearchRequest
    ) -> tuple[SearchHit, ...]:
        """Return the results of the requested page."""
        ranks, limit = scores, request.offset + request.limit
        if request.sort is Sort.LEAST_SURE:  # by the query's score, or without one, the image's surest keyword
            ranks = -scores if request.query.strip() else -self._catalogue.values(lambda part: part.surest_scores)[rows]
        elif request.sort is Sort.NEWEST:
            ranks = self._catalogue.values(lambda part: part.columns.observed_us)[rows].astype(np.float64)
        elif request.sort is Sort.IMAGE:
            ranks = np.zeros(len(rows), np.float32)  # rows are in the order of image names
        if request.per_product:
            places = best_of_products(ranks, self._catalogue.products[rows], limit)
        else:
            places = best_places(ranks, limit)
        return tuple(self._hit(int(rows[index]), float(scores[index])) for index in places[request.offset :])

    def _hit(self, row: int, score: float) -> SearchHit:
        columns, index = self._catalogue.where(row)
        tags = columns.tags_of(index)
        exact = next((tag.score for tag in tags if np.float32(tag.score) == score), score)  # as it was recorded
        return SearchHit(columns.image_of(index), columns.product_of(index), exact, tags, columns.listing_of(index))

    def _counter(self, language: str) -> FacetCounter:
        if language not in self._counters:
            names = self._base.names.setdefault(language, FacetNames(self._vocabulary, language))
            self._counters[language] = FacetCounter(names, self._catalogue.keyword_sets)
        return self._counters[language]

    def _near(self, parsed: ParsedQuery, request: SearchRequest) -> tuple[str, ...]:
        """Return words near those left out."""
        words = self._words.in_language(request.language)
        near = dict.fromkeys(word for text in parsed.ignored for word in words.near(text))
        return tuple(near)[:SUGGESTIONS]

    def _most_frequent(self, language: str) -> tuple[Facet, ...]:
        """Return the keywords on most images of the catalogue."""
        codes = self._catalogue.set_codes[self._rows_of(Everything())]
        return self._counter(language).of_images(codes, AVAILABLE)
