"""Searches, answered from the export, and lookups, answered from the table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import numpy as np
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from pipeline.colours import COLOURS, MULTICOLOURED, colour_id, colour_words
from pipeline.errors import CallerError
from pipeline.http import alike
from pipeline.http import catalogue as answers
from pipeline.http.models import ONE_LINE, QUERY_MISTAKES, Bucket, Key, Language, ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import LANGUAGES, KeywordTag, Source, Vocabulary
from pipeline.ports import RecordTable
from pipeline.records import Record, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem, readable
from pipeline.vectors import FeatureVector
from results_sink.report import answer_document, hit_document, record_document
from results_sink.search import complete, cursor, query
from results_sink.search.filters import Filters
from results_sink.search.newest import ExportReader
from results_sink.search.search import FACETS, LIMIT, SearchHit, SearchRequest, SimilarRequest, Sort

MAX_LIMIT = 100  # results a page, chosen by us: some 100 kB
IN_DETAIL = ("classes", "model_keywords", "previous")  # fields of an image left out of a batch

Typed = Annotated[str, Query(min_length=1, max_length=100, description="What was typed so far.")]
Asking = Annotated[
    str,
    Query(
        max_length=query.MAX_CHARACTERS,
        description='Words in any language, "a phrase", AND, OR, NOT, parentheses, min:0.6; nothing for all images.',
    ),
]
Least = Annotated[float, Query(alias="min", ge=0, le=1, description="The lowest score of a result.")]
NeedsALook = Annotated[
    bool | None, Query(description="Only images that the machine was not sure of; or, with `false`, only the others.")
]
SourceOfKeyword = Annotated[Source | None, Query(description="Only images with a keyword from there.")]
Reason = Annotated[
    RejectReason | None,
    Query(description="Images that were rejected for this reason, which have no keywords: without `q`."),
]
ListingText = Annotated[
    str,
    Query(
        max_length=200,
        description="Words that the product's id, title or brand must hold, as the shop wrote them; case does not "
        "matter. Keywords are searched by `q`.",
    ),
]
ColourName = Annotated[
    str | None,
    Query(
        pattern=f"^({'|'.join((*COLOURS, MULTICOLOURED))})$",
        description="Only images whose product has this colour.",
        examples=["blue"],
    ),
]
Rule = Annotated[
    str | None,
    Query(
        max_length=100,
        description="Only images that break a photo rule: `google` or `amazon` for any of theirs, or one of them, such "
        "as `google:blurred`.",
        examples=["google:blurred"],
    ),
]
Contradicted = Annotated[
    bool | None,
    Query(
        description="Only images whose keywords contradict the title and tags that the shop gives the product, as read "
        "in `language`; or, with `false`, only the others."
    ),
]
Since = Annotated[date | None, Query(description="Only images that were processed on this day (UTC) or later.")]
Until = Annotated[date | None, Query(description="Only images that were processed on this day (UTC) or earlier.")]
Order = Annotated[Sort, Query(description="By score, least sure first, newest observation first, or by name.")]
Completing = Annotated[
    Literal["word", "query"],
    Query(
        description="`word`: words of the vocabulary that begin so. `query`: what completes the last word of a query, "
        "colours among it, with the images that the whole query would leave; nothing that leaves none."
    ),
]
Target = Annotated[float, Query(ge=0, le=1, description="The share of keywords that shall be right.")]
Unit = Annotated[Literal["product", "image"], Query(description="What one result is: a product by its best image.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most results of the page.")]
Facets = Annotated[int, Query(ge=0, le=MAX_LIMIT, description="The most facets.")]
CursorText = Annotated[
    str, Query(alias="cursor", max_length=cursor.MAX_CHARACTERS, description="`next` of the page before.")
]
ProductPath = Annotated[
    str, Path(min_length=1, max_length=answers.MAX_ID_CHARACTERS, pattern=ONE_LINE, description="With its slashes.")
]


@dataclass(frozen=True)
class Api:
    """Answers searches and lookups: one method a path."""

    table: RecordTable
    newest: ExportReader
    vocabulary: Vocabulary

    def search(  # noqa: PLR0913, PLR0917 - the parameters of the path
        self,
        q: Asking = "",
        language: Language = LANGUAGES[0],
        least: Least = 0.0,
        by: Unit = "product",
        limit: Limit = LIMIT,
        facets: Facets = FACETS,
        cursor_text: CursorText = "",
        sort: Order = Sort.SCORE,
        needs_a_look: NeedsALook = None,
        source: SourceOfKeyword = None,
        reason: Reason = None,
        text: ListingText = "",
        colour: ColourName = None,
        rule: Rule = None,
        contradicted: Contradicted = None,
        since: Since = None,
        until: Until = None,
    ) -> answers.SearchPage:
        """Find products, or images, by keywords."""
        if reason and q.strip():
            raise CallerError("rejected images have no keywords: leave out q, or reason")
        names = self._names(language)
        filters = Filters(
            needs_a_look=needs_a_look,
            source=source,
            reason=None if reason is None else str(reason),
            text=text.strip(),
            colour=colour,
            rule=rule,
            contradicted=contradicted,
            since=since,
            until=until,
        )
        request = SearchRequest(q, limit, 0, by == "product", least, facets, language, filters, sort, may_be_empty=True)
        searcher = self.newest.searcher()
        if cursor_text:
            begun = cursor.Cursor.decode(cursor_text, request, self.vocabulary.version)
            searcher, request = self.newest.searcher_of(begun.state), replace(request, offset=begun.offset)
        answer = searcher.answer(request)
        more = request.offset + len(answer.results) < answer.total
        return answers.SearchPage(
            **answer_document(answer, names),
            next=cursor.Cursor.after(request, searcher.state, self.vocabulary.version).encode() if more else None,
            snapshot=searcher.state.snapshot,
            changes=searcher.changes,
        )

    def precision(  # noqa: PLR0913, PLR0917 - the parameters of the path
        self,
        target: Target = 0.95,
        q: Asking = "",
        language: Language = LANGUAGES[0],
        needs_a_look: NeedsALook = None,
        source: SourceOfKeyword = None,
        rule: Rule = None,
        contradicted: Contradicted = None,
    ) -> answers.Precision:
        """Forecast how many photos are left to review until the keywords are as right as you want.

        A score is the probability that a keyword is right, so that the scores of all keywords say how many are expected
        to be. A photo on which a person has pinned a keyword counts as right; the least sure ones are looked at first.
        """
        filters = Filters(needs_a_look, source, rule=rule, contradicted=contradicted)
        request = SearchRequest(q, language=language, filters=filters, may_be_empty=True)
        searcher = self.newest.searcher()
        forecast = searcher.forecast(request, target)
        return answers.Precision(
            target=target,
            **asdict(replace(forecast, precision=round(forecast.precision, 4))),
            snapshot=searcher.state.snapshot,
            changes=searcher.changes,
        )

    def suggest(  # noqa: PLR0913, PLR0917 - the parameters of the path
        self,
        q: Typed,
        language: Language = LANGUAGES[0],
        limit: Limit = complete.LIMIT,
        completes: Completing = "word",
        needs_a_look: NeedsALook = None,
        source: SourceOfKeyword = None,
    ) -> answers.Suggestions:
        """Complete a word of the vocabulary, or the last word of a query.

        The filters are those of a search; they count for `completes=query`.
        """
        names = self._names(language)
        if completes == "query":
            completions = self._completer.complete_query(
                q, language, self.newest.searcher(), limit, Filters(needs_a_look, source)
            )
        else:
            completions = self._completer.complete(q, language, self._images_by_keyword(), limit)
        suggestions = [
            answers.Suggestion(
                word=completion.word,
                keyword=completion.word if completion.is_colour else names.name(completion.keyword_id),
                id=completion.keyword_id,
                images=completion.images,
                query=completion.query,
            )
            for completion in completions
        ]
        return answers.Suggestions(q=q, language=language, suggestions=suggestions)

    def image(self, bucket: Bucket, key: Key, language: Language = LANGUAGES[0]) -> answers.Image:
        """Return what is known of an image now."""
        record = self._record(ImageRef(unquote(bucket), unquote(key)))
        return answers.Image(**record_document(record, self._names(language)))

    def product(self, product_id: ProductPath, language: Language = LANGUAGES[0]) -> answers.Product:
        """Return what is known of a product now: its images, and the keywords of all of them."""
        name = unquote(product_id)
        product = self._product(name, self._names(language))
        if product is None:
            raise NotFoundError(f"there is no image of the product {name!r}")
        return answers.Product.model_validate(product)

    def products(
        self, request: Annotated[answers.ProductIds, Body()], language: Language = LANGUAGES[0]
    ) -> answers.Products:
        """Return what is known of up to 100 products now.

        Their images come without classes and without the run before.
        """
        names = self._names(language)
        products = {name: self._product(name, names, *IN_DETAIL) for name in dict.fromkeys(request.ids)}
        return answers.Products(
            products=[answers.ProductInBrief.model_validate(product) for product in products.values() if product],
            missing=[name for name, product in products.items() if not product],
        )

    # DECISIONS.md, 97: below the product's own path, whatever its id contains.
    def similar_products(
        self, product_id: ProductPath, language: Language = LANGUAGES[0], limit: Limit = alike.SIMILAR
    ) -> answers.SimilarProducts:
        """Find the products that look most like one, each by its most similar image.

        A score says how alike two photos look, and whether they are taken for the same thing; 1 is the same photo.
        """
        name = unquote(product_id)
        records = readable(self.table.of_product(name))
        if not records:
            raise NotFoundError(f"there is no image of the product {name!r}")
        vectors = [record.vector for record in records if isinstance(record, TaggedImage) and record.vector]
        names, searcher = self._names(language), self.newest.searcher()
        hits = searcher.similar(_similar_to(vectors, name, limit)) if vectors else ()
        return answers.SimilarProducts(product=name, results=_results(hits, names), snapshot=searcher.state.snapshot)

    # DECISIONS.md, 113: the vector comes with the request, since the model is another function's.
    def similar_images(
        self, request: Annotated[alike.SimilarTo, Body()], language: Language = LANGUAGES[0]
    ) -> alike.SimilarImages:
        """Find what looks most like a photo: one of the catalogue, or any that was classified.

        Send `image`, or the `vector` that `POST /v1/classify`
        answered; a vector of another model than the catalogue's finds nothing.
        """
        if (request.image is None) == (request.vector is None):
            raise CallerError("the body must have either 'image', s3://bucket/key, or 'vector'")
        names, per_product = self._names(language), request.by == "product"
        product, vector = self._seen(request)
        searcher = self.newest.searcher()
        hits: Sequence[SearchHit] = ()
        if vector:
            without = product if per_product else ""
            hits = searcher.similar(
                SimilarRequest(
                    vector.space, vector.to_array(), request.limit, per_product, without, request.image or ""
                )
            )
        return alike.SimilarImages(results=_results(hits, names), snapshot=searcher.state.snapshot)

    def _seen(self, request: alike.SimilarTo) -> tuple[str, FeatureVector | None]:
        """Return the photo's product, empty if it is not in the catalogue, and its feature vector."""
        if request.image is None:
            return "", FeatureVector.unpack_text(request.vector or "")
        record = self._record(ImageRef.parse(request.image))
        return record.observation.product, record.vector if isinstance(record, TaggedImage) else None

    def keywords(self) -> answers.Taxonomy:
        """Return every keyword and colour that an image can have, in every language."""
        images = self._images_by_keyword()
        keywords = [
            answers.KeywordOfTaxonomy(
                id=keyword.id,
                words={language: list(words) for language, words in keyword.words.items()},
                parents=list(keyword.parents),
                images=images.get(keyword.id, 0),
            )
            for keyword in self.vocabulary.emitted
        ]
        languages = list(self.vocabulary.languages)
        colours = [
            answers.ColourOfTaxonomy(id=colour_id(colour), words=dict(colour_words(colour)))
            for colour in (*COLOURS, MULTICOLOURED)
        ]
        return answers.Taxonomy(
            version=self.vocabulary.version, languages=languages, keywords=keywords, colours=colours
        )

    def health(self) -> answers.Health:
        """Return that the API answers, and from which snapshot."""
        searcher = self.newest.searcher_if_any()
        return answers.Health(
            status="ok",
            snapshot=searcher.state.snapshot if searcher else None,
            changes=searcher.changes if searcher else 0,
            vocabulary_version=self.vocabulary.version,
        )

    @cached_property
    def _completer(self) -> complete.Completer:
        return complete.Completer(self.vocabulary)

    def _images_by_keyword(self) -> dict[str, int]:
        searcher = self.newest.searcher_if_any()
        return searcher.images_by_keyword if searcher else {}

    def _record(self, image: ImageRef) -> Record:
        record = self.table.get_many([image]).get(image)
        if record is None or isinstance(record, UnreadableItem):
            raise NotFoundError(f"nothing is known of {image}")
        return record

    def _names(self, language: str) -> KeywordNames:
        return KeywordNames.in_language(self.vocabulary, language)

    def _product(self, product: str, names: KeywordNames, *without: str) -> dict[str, Any] | None:
        records = readable(self.table.of_product(product))
        if not records:
            return None
        tags = _best(tag for record in records if isinstance(record, TaggedImage) for tag in record.keywords)
        documents = [record_document(record, names) for record in records]
        images = [{name: value for name, value in document.items() if name not in without} for document in documents]
        return {"product": product, "keywords": names.documents(tags), "images": images}


def _similar_to(vectors: Sequence[FeatureVector], product: str, limit: int) -> SimilarRequest:
    """Return the request for other products near the mean of a product's vectors, in the space most of them share."""
    [(space, _)] = Counter(vector.space for vector in vectors).most_common(1)
    middle = np.mean([vector.to_array() for vector in vectors if vector.space == space], axis=0)
    return SimilarRequest(space, middle, limit, per_product=True, without_product=product)


def _results(hits: Iterable[SearchHit], names: KeywordNames) -> list[answers.Result]:
    documents = (hit_document(replace(hit, score=round(hit.score, 4)), names) for hit in hits)
    return [answers.Result.model_validate(document) for document in documents]


def _best(tags: Iterable[KeywordTag]) -> Sequence[KeywordTag]:
    """Return each keyword once, with its best score, the best first."""
    best: dict[str, KeywordTag] = {}
    for tag in tags:
        if tag.keyword_id not in best or tag.score > best[tag.keyword_id].score:
            best[tag.keyword_id] = tag
    return sorted(best.values(), key=lambda tag: (-tag.score, tag.keyword_id))


def add_routes(app: Resolver, api: Api) -> None:
    """Add the routes of searches and lookups."""
    of_search = [*QUERY_MISTAKES, ProblemCode.NO_EXPORT]
    app.operation("GET", "/search", tag=Tag.SEARCH, problems=[*of_search, ProblemCode.PAGE_GONE])(api.search)
    app.operation("GET", "/precision", tag=Tag.REVIEW, problems=of_search)(api.precision)
    app.operation("GET", "/suggest", tag=Tag.SEARCH, problems=of_search)(api.suggest)
    app.operation("GET", "/keywords", tag=Tag.SEARCH)(api.keywords)
    lost = [ProblemCode.NOT_FOUND]
    app.operation("GET", "/images/<bucket>/<key>", tag=Tag.LOOKUP, problems=lost)(api.image)
    # Before the product's own route, whose id may contain slashes and would match this ending too.
    app.operation("GET", "/products/<product_id>/similar", tag=Tag.SEARCH, problems=[*lost, ProblemCode.NO_EXPORT])(
        api.similar_products
    )
    alike_problems = [*lost, ProblemCode.NO_EXPORT, ProblemCode.UNSUPPORTED_MEDIA_TYPE]
    app.operation("POST", "/similar", tag=Tag.SEARCH, problems=alike_problems)(api.similar_images)
    app.operation("GET", "/products/<product_id>", tag=Tag.LOOKUP, problems=lost)(api.product)
    app.operation("POST", "/products:batch", tag=Tag.LOOKUP, problems=[ProblemCode.UNSUPPORTED_MEDIA_TYPE])(
        api.products
    )
    app.operation("GET", "/healthz", tag=Tag.OPERATE)(api.health)
