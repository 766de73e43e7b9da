"""The verb answer: what programs ask of the catalogue over HTTP, from the table at once and from the export in bulk."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.models import Server
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from pipeline.errors import CallerError
from pipeline.images import MAX_KEY_BYTES, ImageRef
from pipeline.keywords import LANGUAGES, KeywordTag, Vocabulary
from pipeline.ports import RecordTable
from pipeline.records import TaggedImage
from pipeline.unreadable import UnreadableItem, readable
from results_sink.http import models as answers
from results_sink.http.problems import GUARDS, answer_problems, bounded, told
from results_sink.report import Words, answer_document, record_document
from results_sink.search import complete, cursor, query
from results_sink.search.newest import ExportReader
from results_sink.search.search import FACETS, LIMIT, SearchRequest

MAX_LIMIT = 100  # results of a page, chosen by us: some 100 kB
MAX_BUCKET_CHARACTERS = 63  # the longest name Amazon S3 permits
IN_DETAIL = ("classes", "previous")  # of an image: left out of a batch
ONE_LINE = r"^[^\n]+$"  # what a path can hold
TITLE, VERSION = "catalog-tagger", "1"
TOLD = "Keywords of product photos. Lookups see what was written at once, searches within seconds."

Language = Annotated[
    str, Query(min_length=2, max_length=35, description="Of the words in the answer: one of the taxonomy's languages.")
]
Typed = Annotated[str, Query(min_length=1, max_length=100, description="What was typed so far.")]
Asking = Annotated[
    str,
    Query(
        min_length=1,
        max_length=query.MAX_CHARACTERS,
        description='Words in any language, "a phrase", AND, OR, NOT, parentheses, min:0.6.',
    ),
]
Least = Annotated[float, Query(alias="min", ge=0, le=1, description="The lowest score of a result.")]
Unit = Annotated[Literal["product", "image"], Query(description="What one result is: a product by its best image.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most results of the page.")]
Facets = Annotated[int, Query(ge=0, le=MAX_LIMIT, description="The most facets.")]
CursorText = Annotated[
    str, Query(alias="cursor", max_length=cursor.MAX_CHARACTERS, description="`next` of the page before.")
]
Bucket = Annotated[str, Path(min_length=1, max_length=MAX_BUCKET_CHARACTERS)]
Key = Annotated[str, Path(min_length=1, max_length=MAX_KEY_BYTES, pattern=ONE_LINE, description="With its slashes.")]
ProductPath = Annotated[
    str, Path(min_length=1, max_length=answers.MAX_ID_CHARACTERS, pattern=ONE_LINE, description="With its slashes.")
]


class Resolver(APIGatewayHttpResolver):
    """Takes the last part of a path with its slashes, and any character in it."""

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "^{}$") -> re.Pattern[str]:
        pattern = re.sub(r"/<(\w+)>", r"/(?P<\1>[^/]+)", re.sub(r"/<(\w+)>$", r"/(?P<\1>.+)", rule))
        return re.compile(base_regex.format(pattern), re.DOTALL)


@dataclass(frozen=True)
class Api:
    """Answers what is asked, each path by a method."""

    table: RecordTable
    newest: ExportReader
    vocabulary: Vocabulary
    logger: Logger = field(default_factory=Logger)

    def search(  # noqa: PLR0913, PLR0917 - the parameters of the path
        self,
        q: Asking,
        language: Language = LANGUAGES[0],
        least: Least = 0.0,
        by: Unit = "product",
        limit: Limit = LIMIT,
        facets: Facets = FACETS,
        cursor_text: CursorText = "",
    ) -> answers.SearchPage:
        """Find products, or images, by keywords."""
        words = self._words(language)
        asked = SearchRequest(q, limit, 0, by == "product", least, facets, language)
        searcher = self.newest.searcher()
        if cursor_text:
            begun = cursor.Cursor.decode(cursor_text, asked, self.vocabulary.version)
            searcher, asked = self.newest.searcher_of(begun.state), replace(asked, offset=begun.offset)
        answer = searcher.answer(asked)
        more = asked.offset + len(answer.results) < answer.total
        return answers.SearchPage(
            **answer_document(answer, words),
            next=cursor.Cursor.after(asked, searcher.state, self.vocabulary.version).encode() if more else None,
            snapshot=searcher.state.snapshot,
            changes=searcher.changes,
        )

    def suggest(
        self, q: Typed, language: Language = LANGUAGES[0], limit: Limit = complete.LIMIT
    ) -> answers.Suggestions:
        """Complete a word of the vocabulary."""
        images = self._images_by_keyword()
        names = self._words(language)
        found = [(each.word, each.keyword_id) for each in self._completer.complete(q, language, images, limit)]
        suggestions = [
            answers.Suggestion(
                word=word, keyword=names.name(keyword_id), id=keyword_id, images=images.get(keyword_id, 0)
            )
            for word, keyword_id in found
        ]
        return answers.Suggestions(q=q, language=language, suggestions=suggestions)

    def image(self, bucket: Bucket, key: Key, language: Language = LANGUAGES[0]) -> answers.Image:
        """Tell what is known of an image now."""
        ref = ImageRef(unquote(bucket), unquote(key))
        record = self.table.get_many([ref]).get(ref)
        if record is None or isinstance(record, UnreadableItem):
            raise NotFoundError(f"nothing is known of {ref}")
        return answers.Image(**record_document(record, self._words(language)))

    def product(self, product_id: ProductPath, language: Language = LANGUAGES[0]) -> answers.Product:
        """Tell what is known of a product now: its images, and the keywords of all of them."""
        name = unquote(product_id)
        found = self._product(name, self._words(language))
        if found is None:
            raise NotFoundError(f"there is no image of the product {name!r}")
        return answers.Product.model_validate(found)

    def products(
        self, asked: Annotated[answers.ProductIds, Body()], language: Language = LANGUAGES[0]
    ) -> answers.Products:
        """Tell what is known of up to a hundred products now; of their images without classes and the run before."""
        words = self._words(language)
        found = {name: self._product(name, words, *IN_DETAIL) for name in dict.fromkeys(asked.ids)}
        return answers.Products(
            products=[answers.ProductInBrief.model_validate(product) for product in found.values() if product],
            missing=[name for name, product in found.items() if not product],
        )

    def keywords(self) -> answers.Taxonomy:
        """Tell every keyword that an image can have, in every language."""
        images = self._images_by_keyword()
        keywords = [
            answers.KeywordOfTaxonomy(
                id=each.id,
                words={language: list(words) for language, words in each.words.items()},
                parents=list(each.parents),
                images=images.get(each.id, 0),
            )
            for each in self.vocabulary.emitted
        ]
        languages = list(self.vocabulary.languages)
        return answers.Taxonomy(version=self.vocabulary.version, languages=languages, keywords=keywords)

    def health(self) -> answers.Health:
        """Tell that the API answers, and from which snapshot."""
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

    def _words(self, language: str) -> Words:
        if language not in self.vocabulary.languages:
            spoken = ", ".join(self.vocabulary.languages)
            raise CallerError(f"there are no words in {language!r}; there are in {spoken}")
        return Words(self.vocabulary, language)

    def _product(self, product: str, words: Words, *without: str) -> dict[str, Any] | None:
        records = readable(self.table.of_product(product))
        if not records:
            return None
        tags = _best(tag for record in records if isinstance(record, TaggedImage) for tag in record.keywords)
        told_of = [record_document(record, words) for record in records]
        images = [{name: value for name, value in each.items() if name not in without} for each in told_of]
        return {"product": product, "keywords": words.documents(tags), "images": images}


def _best(tags: Iterable[KeywordTag]) -> Sequence[KeywordTag]:
    """Return each keyword once, with its best score, the best first."""
    best: dict[str, KeywordTag] = {}
    for tag in tags:
        if tag.keyword_id not in best or tag.score > best[tag.keyword_id].score:
            best[tag.keyword_id] = tag
    return sorted(best.values(), key=lambda tag: (-tag.score, tag.keyword_id))


def make_resolver(api: Api) -> Resolver:
    """Return what takes requests to the methods of the API, checks them, and tells of itself."""
    app = Resolver(enable_validation=True)
    bad, lost, gone = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE
    large, no_json = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def get(path: str, answer: Callable[..., Any], model: type, *statuses: HTTPStatus) -> None:
        tell(app.get, path, answer, model, *statuses)

    def tell(method: Callable[..., Any], path: str, answer: Callable[..., Any], model: type, *rest: HTTPStatus) -> None:
        done = {200: {"description": answer.__doc__ or "", "content": {"application/json": {"model": model}}}}
        summary = (answer.__doc__ or "").splitlines()[0]
        method(path, summary=summary, responses={**done, **told(*rest)}, operation_id=answer.__name__)(answer)

    get("/search", api.search, answers.SearchPage, bad, gone)
    get("/suggest", api.suggest, answers.Suggestions, bad)
    get("/images/<bucket>/<key>", api.image, answers.Image, bad, lost)
    get("/products/<product_id>", api.product, answers.Product, bad, lost, large)
    tell(app.post, "/products:batch", api.products, answers.Products, bad, large, no_json)
    get("/keywords", api.keywords, answers.Taxonomy)
    get("/healthz", api.health, answers.Health)
    answer_problems(app, api.logger)
    _tell_of_itself(app, api.vocabulary.languages)
    return app


def _tell_of_itself(app: Resolver, languages: Sequence[str]) -> None:
    # The address of the API is where its document lies, wherever that is.
    about: dict[str, Any] = {"title": TITLE, "version": VERSION, "description": TOLD, "servers": [Server(url=".")]}
    told_once: list[str] = []

    def tell() -> Response[str]:
        if not told_once:
            document = json.loads(app.get_openapi_json_schema(**about))
            told_once.append(json.dumps(_with_languages(document, languages), indent=1))
        return Response(200, "application/json", told_once[0], {**GUARDS})

    app.get("/openapi.json", include_in_schema=False, enable_validation=False)(tell)
    app.enable_swagger(path="/docs", **about)


def _with_languages(document: dict[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    """Return the document, which then says the languages that a shop's taxonomy has."""
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "language":
                parameter["schema"]["enum"] = list(languages)
    return document


def make_handler(api: Api) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the function's entry point: one request, one answer."""
    app = make_resolver(api)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return bounded(app.resolve(event, context))

    return handler
