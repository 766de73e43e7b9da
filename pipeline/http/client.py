"""A Python client of the API, with and without async: each answer is a typed value, each problem an exception."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast
from urllib.parse import quote, urlencode

import httpx

from pipeline.aws.clients import client, signed_headers, stack_outputs
from pipeline.errors import CallerError, Denied, PageGone, RetryLater
from pipeline.http import alike, catalogue, classification, deciding, uploading
from pipeline.stack import endpoint_url_of, stack_name_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
    from datetime import date

    from pipeline.http.models import AnswerModel
    from pipeline.images import ImageRef
    from pipeline.records import KeywordAction

T = TypeVar("T")
P = ParamSpec("P")
TIMEOUT_S = 30.0  # Amazon API Gateway waits no longer for an answer


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[T]):
    """A request that is ready to be sent; both clients share it.

    Attributes:
        model: the model of the answer; None if the answer is a file.
        path: the encoded path and query; of a form, the whole address.
        content: the body, as httpx takes it: ``json``, ``content``, or ``data`` and ``files``.
        may_be_missing: whether a 404 becomes None.
    """

    model: type[AnswerModel] | None
    method: str
    path: str
    content: Mapping[str, Any] = field(default_factory=dict)
    may_be_missing: bool = False

    def parse(self, response: httpx.Response) -> T:
        """Return the answer as a value.

        Raises:
            CallerError: the request was wrong; ``PageGone`` for a page that is gone.
            Denied: the API refuses to answer.
            RetryLater: the API cannot answer now.
        """
        if response.status_code == HTTPStatus.NOT_FOUND and self.may_be_missing:
            return cast("T", None)
        if not response.is_success:
            raise _error_of(response)
        if self.model is None:
            return cast("T", response.content)
        try:
            # Ignore the fields that a later API adds.
            return cast("T", self.model.model_validate_json(response.content, extra="ignore"))
        except ValueError as error:  # a proxy answered in place of the API
            raise RetryLater(f"{response.url}: the answer is not a {self.model.__name__}") from error


# ---- The requests ----------------------------------------------------------------------------------------------------


def search(  # noqa: PLR0913 - the parameters of the path
    q: str = "",
    *,
    by: str | None = None,
    least: float | None = None,
    limit: int | None = None,
    facets: int | None = None,
    language: str | None = None,
    cursor: str | None = None,
    sort: str | None = None,
    needs_a_look: bool | None = None,
    source: str | None = None,
    reason: str | None = None,
    text: str | None = None,
    colour: str | None = None,
    rule: str | None = None,
    contradicted: bool | None = None,
    since: date | None = None,
    until: date | None = None,
) -> ApiRequest[catalogue.SearchPage]:
    """One page of results, best first unless ``sort`` says otherwise; of all images where ``q`` is empty."""
    filters: dict[str, object] = {"min": least, "needs_a_look": needs_a_look, "source": source, "reason": reason}
    filters |= {"text": text, "colour": colour, "rule": rule, "contradicted": contradicted}
    filters |= {"since": since, "until": until}
    page = {"limit": limit, "facets": facets, "cursor": cursor, "sort": sort}
    path = _path("/search", q=q, by=by, language=language, **filters, **page)
    return ApiRequest(catalogue.SearchPage, "GET", path)


def suggest(  # noqa: PLR0913 - the parameters of the path
    q: str,
    *,
    language: str | None = None,
    limit: int | None = None,
    completes: str | None = None,
    needs_a_look: bool | None = None,
    source: str | None = None,
) -> ApiRequest[catalogue.Suggestions]:
    """Words that begin with what was typed; with ``completes="query"``, completions of the whole query."""
    filters = {"needs_a_look": needs_a_look, "source": source}
    path = _path("/suggest", q=q, language=language, limit=limit, completes=completes, **filters)
    return ApiRequest(catalogue.Suggestions, "GET", path)


def precision(  # noqa: PLR0913 - the parameters of the path
    target: float | None = None,
    *,
    q: str | None = None,
    language: str | None = None,
    needs_a_look: bool | None = None,
    source: str | None = None,
    rule: str | None = None,
    contradicted: bool | None = None,
) -> ApiRequest[catalogue.Precision]:
    """How right the keywords are expected to be, and how many looks are left until they are as right as wanted."""
    filters = {"needs_a_look": needs_a_look, "source": source, "rule": rule, "contradicted": contradicted}
    path = _path("/precision", target=target, q=q, language=language, **filters)
    return ApiRequest(catalogue.Precision, "GET", path)


def image(ref: ImageRef, *, language: str | None = None) -> ApiRequest[catalogue.Image | None]:
    """The current record of an image, or None if there is none."""
    return ApiRequest(catalogue.Image, "GET", _image_path(ref, language=language), may_be_missing=True)


def product(product_id: str, *, language: str | None = None) -> ApiRequest[catalogue.Product | None]:
    """The current records of a product, or None if there are none."""
    path = _path(f"/products/{quote(product_id)}", language=language)
    return ApiRequest(catalogue.Product, "GET", path, may_be_missing=True)


def similar_products(
    product_id: str, *, limit: int | None = None, language: str | None = None
) -> ApiRequest[catalogue.SimilarProducts | None]:
    """The products that look most like a given one, or None if that one is unknown."""
    path = _path(f"/products/{quote(product_id)}/similar", limit=limit, language=language)
    return ApiRequest(catalogue.SimilarProducts, "GET", path, may_be_missing=True)


def similar_images(
    *,
    image: ImageRef | None = None,
    vector: str | None = None,
    by: str | None = None,
    limit: int | None = None,
    language: str | None = None,
) -> ApiRequest[alike.SimilarImages]:
    """What looks most like an image of the catalogue, or like a photo by the vector that ``classify`` answered."""
    given = {"image": None if image is None else str(image), "vector": vector, "by": by, "limit": limit}
    document = {name: value for name, value in given.items() if value is not None}
    return _post(alike.SimilarImages, _path("/similar", language=language), document)


def same_photos(image: ImageRef, candidates: Sequence[ImageRef]) -> ApiRequest[alike.SamePhotos]:
    """Which of up to eight images are the same photo as one."""
    names = [str(candidate) for candidate in candidates]
    return _post(alike.SamePhotos, _path("/duplicates"), {"image": str(image), "candidates": names})


def products(ids: Sequence[str], *, language: str | None = None) -> ApiRequest[catalogue.Products]:
    """The current records of up to 100 products."""
    return _post(catalogue.Products, _path("/products:batch", language=language), {"ids": list(ids)})


def keywords() -> ApiRequest[catalogue.Taxonomy]:
    """Every keyword that an image can have."""
    return ApiRequest(catalogue.Taxonomy, "GET", _path("/keywords"))


def health() -> ApiRequest[catalogue.Health]:
    """What the API answers from."""
    return ApiRequest(catalogue.Health, "GET", _path("/healthz"))


def status() -> ApiRequest[catalogue.Status]:
    """The state of tagging: queues, outcomes, rejected images."""
    return ApiRequest(catalogue.Status, "GET", _path("/status"))


def photos(images: Sequence[ImageRef]) -> ApiRequest[catalogue.PhotoAddresses]:
    """Addresses at which a browser reads up to 100 photos."""
    return _post(catalogue.PhotoAddresses, _path("/photos"), {"images": [str(ref) for ref in images]})


def thumbnail(ref: ImageRef, size: int) -> ApiRequest[bytes]:
    """An image as a WebP file whose longer side has at most 320 or 640 pixels."""
    return ApiRequest(None, "GET", _path(f"/thumbnails/{size}/{quote(ref.bucket)}/{quote(ref.key)}"))


def ratings(ref: ImageRef) -> ApiRequest[catalogue.GivenRatings]:
    """The caller's own ratings of an image."""
    return ApiRequest(catalogue.GivenRatings, "GET", _path("/ratings", image=str(ref)))


def rate(ratings: Sequence[catalogue.KeywordRating]) -> ApiRequest[catalogue.KeptRatings]:
    """Keep ratings of keywords, all or none."""
    return _post(catalogue.KeptRatings, _path("/ratings"), {"ratings": [rating.model_dump() for rating in ratings]})


def decide(decisions: Sequence[tuple[ImageRef, str, KeywordAction]]) -> ApiRequest[deciding.AppliedDecisions]:
    """Pin, suppress or release keywords: each image, the keyword's word or id, and the decision."""
    documents = [{"image": str(ref), "keyword": word, "decision": str(action)} for ref, word, action in decisions]
    return _post(deciding.AppliedDecisions, _path("/decisions"), {"decisions": documents})


def models() -> ApiRequest[classification.ModelList]:
    """The installed models."""
    return ApiRequest(classification.ModelList, "GET", _path("/models"))


def classify(
    photo: bytes | str, *, models: Sequence[str] | None = None, language: str | None = None
) -> ApiRequest[classification.ClassifiedPhoto]:
    """What is in a photo: its bytes, or a link (https://... or s3://bucket/key of the catalogue)."""
    path = _path("/classify", models=None if models is None else ",".join(models), language=language)
    if isinstance(photo, bytes):
        content = {"content": photo, "headers": {"content-type": "application/octet-stream"}}
        return ApiRequest(classification.ClassifiedPhoto, "POST", path, content)
    return _post(classification.ClassifiedPhoto, path, {"link": photo})


def announce(
    name: str, media_type: str, size_bytes: int, *, product: str | None = None
) -> ApiRequest[uploading.UploadTicket]:
    """Announce an upload, perhaps as one more photo of a product, and get the form that takes it."""
    document = {"name": name, "type": media_type, "size": size_bytes, "product": product}
    return _post(uploading.UploadTicket, _path("/uploads"), document)


def replace_upload(ref: ImageRef, name: str, media_type: str, size_bytes: int) -> ApiRequest[uploading.UploadTicket]:
    """Announce a photo that takes the place of an uploaded one, and get the form that takes it."""
    document = {"name": name, "type": media_type, "size": size_bytes}
    return ApiRequest(uploading.UploadTicket, "PUT", _image_path(ref), {"json": document})


def remove_upload(ref: ImageRef) -> ApiRequest[uploading.RemovedPhoto]:
    """Remove an uploaded photo from the bucket."""
    return ApiRequest(uploading.RemovedPhoto, "DELETE", _image_path(ref))


# ---- The clients -----------------------------------------------------------------------------------------------------


# Signed once httpx has built the URL, so that nothing is encoded differently afterwards (DECISIONS.md, 64).
class SignedRequests(httpx.Auth):
    """Signs each request, URL and body as they are sent, with the credentials that boto3 finds."""

    requires_request_body = True

    def __init__(self, *, on_embedded_aws: bool = False) -> None:
        """Sign with the embedded AWS's own credentials, or with those that boto3 finds."""
        self._on_embedded_aws = on_embedded_aws

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request."""
        sent = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
        url, body = str(request.url), request.content
        request.headers.update(signed_headers(request.method, url, sent, body, on_embedded_aws=self._on_embedded_aws))
        yield request


class BearerToken(httpx.Auth):
    """Sends the access token of a signed-in person."""

    def __init__(self, token: str) -> None:
        """Send this token with each request."""
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token."""
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def _blocking(build: Callable[P, ApiRequest[T]]) -> Callable[Concatenate[CatalogClient, P], T]:
    """Return a method of the blocking client that builds and sends the request."""

    @wraps(build)
    def method(self: CatalogClient, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return cast("Callable[Concatenate[CatalogClient, P], T]", method)


def _async(build: Callable[P, ApiRequest[T]]) -> Callable[Concatenate[AsyncCatalogClient, P], Coroutine[Any, Any, T]]:
    """Return a method of the async client that builds and sends the request."""

    @wraps(build)
    async def method(self: AsyncCatalogClient, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    return cast("Callable[Concatenate[AsyncCatalogClient, P], Coroutine[Any, Any, T]]", method)


@dataclass(frozen=True)
class _Endpoint:
    """Where the API is, and how requests to it are signed.

    Attributes:
        address: of the API, without a version.
        auth: signs requests; None if the API asks for no sign-in, as on the local stack.
        timeout_s: of one request.
        transport: replaces the network.
    """

    address: str
    auth: httpx.Auth | None = field(default_factory=SignedRequests)
    timeout_s: float = TIMEOUT_S
    transport: Any = None

    @classmethod
    def of_stack(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return a client of the stack that commands work on: the local one, or one on AWS, with signed requests.

        Raises:
            NoStack: there is none.
        """
        endpoint_url = endpoint_url_of(environment)
        outputs = stack_outputs(client("cloudformation", endpoint_url), stack_name_of(environment, endpoint_url))
        if endpoint_url:
            address = f"{endpoint_url}/_aws/execute-api/{outputs['HttpApiId']}"
            return cls(address, SignedRequests(on_embedded_aws=True))
        return cls(outputs["ApiUrl"])

    @property
    def _settings(self) -> dict[str, Any]:
        """What httpx makes a client of."""
        return {"base_url": self.address, "auth": self.auth, "timeout": self.timeout_s, "transport": self.transport}


@dataclass(frozen=True)
class CatalogClient(_Endpoint):
    """Calls the API at an address, and waits for each answer.

    Every method raises ``CallerError`` for a wrong request (``PageGone`` for a page that is gone), ``Denied`` where the
    API refuses to answer, and ``RetryLater`` where it cannot answer now.
    """

    search = _blocking(search)
    precision = _blocking(precision)
    suggest = _blocking(suggest)
    image = _blocking(image)
    product = _blocking(product)
    similar_products = _blocking(similar_products)
    similar_images = _blocking(similar_images)
    same_photos = _blocking(same_photos)
    products = _blocking(products)
    keywords = _blocking(keywords)
    health = _blocking(health)
    status = _blocking(status)
    photos = _blocking(photos)
    thumbnail = _blocking(thumbnail)
    ratings = _blocking(ratings)
    rate = _blocking(rate)
    decide = _blocking(decide)
    models = _blocking(models)
    classify = _blocking(classify)
    announce = _blocking(announce)
    replace_upload = _blocking(replace_upload)
    remove_upload = _blocking(remove_upload)

    def send(self, request: ApiRequest[T]) -> T:
        """Send a request, and return its answer."""
        try:
            with httpx.Client(**self._settings) as http:
                return request.parse(http.request(request.method, request.path, **request.content))
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    def results(self, q: str, *, by: str | None = None, least: float | None = None) -> Iterator[catalogue.Result]:
        """Yield all results, best first, a hundred at each request."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.search(q, by=by, least=least, limit=100, facets=0, cursor=cursor or None)
            yield from page.results
            cursor = page.next

    def upload(self, name: str, media_type: str, photo: bytes) -> uploading.UploadTicket:
        """Upload a photo, and return the ticket to watch it with; its ``image`` is what to look up afterwards."""
        ticket = self.announce(name, media_type, len(photo))
        self.send(_form(ticket, name, media_type, photo))
        return ticket


@dataclass(frozen=True)
class AsyncCatalogClient(_Endpoint):
    """Calls the API at an address with async; its errors are those of ``CatalogClient``."""

    search = _async(search)
    precision = _async(precision)
    suggest = _async(suggest)
    image = _async(image)
    product = _async(product)
    similar_products = _async(similar_products)
    similar_images = _async(similar_images)
    same_photos = _async(same_photos)
    products = _async(products)
    keywords = _async(keywords)
    health = _async(health)
    status = _async(status)
    photos = _async(photos)
    thumbnail = _async(thumbnail)
    ratings = _async(ratings)
    rate = _async(rate)
    decide = _async(decide)
    models = _async(models)
    classify = _async(classify)
    announce = _async(announce)
    replace_upload = _async(replace_upload)
    remove_upload = _async(remove_upload)

    async def send(self, request: ApiRequest[T]) -> T:
        """Send a request, and return its answer."""
        try:
            async with httpx.AsyncClient(**self._settings) as http:
                return request.parse(await http.request(request.method, request.path, **request.content))
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    async def results(
        self, q: str, *, by: str | None = None, least: float | None = None
    ) -> AsyncIterator[catalogue.Result]:
        """Yield all results, best first, a hundred at each request."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self.search(q, by=by, least=least, limit=100, facets=0, cursor=cursor or None)
            for result in page.results:
                yield result
            cursor = page.next

    async def upload(self, name: str, media_type: str, photo: bytes) -> uploading.UploadTicket:
        """Upload a photo, and return the ticket to watch it with; its ``image`` is what to look up afterwards."""
        ticket = await self.announce(name, media_type, len(photo))
        await self.send(_form(ticket, name, media_type, photo))
        return ticket


def _path(path: str, **query: object) -> str:
    """Return the path with its query. A space becomes %20, because AWS would sign a + as a plus."""
    given = {name: value for name, value in query.items() if value is not None}
    sent = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return f"/v1{path}?{urlencode(sent, quote_via=quote)}" if sent else f"/v1{path}"


def _image_path(ref: ImageRef, **query: str | None) -> str:
    return _path(f"/images/{quote(ref.bucket)}/{quote(ref.key)}", **query)


def _post(model: type[AnswerModel], path: str, document: Mapping[str, object]) -> ApiRequest[Any]:
    return ApiRequest(model, "POST", path, {"json": document})


def _form(ticket: uploading.UploadTicket, name: str, media_type: str, photo: bytes) -> ApiRequest[bytes]:
    """Return the upload. The form carries its own signature, and S3 refuses a second one."""
    content = {"data": ticket.fields, "files": {"file": (name, photo, media_type)}, "auth": None}
    return ApiRequest(None, "POST", ticket.url, content)


def _unreachable(error: httpx.HTTPError) -> RetryLater:
    return RetryLater(f"{error.request.url}: {str(error) or type(error).__name__}")


def _error_of(response: httpx.Response) -> Exception:
    """Return the exception for an answer, with the problem's own words."""
    code = response.status_code
    try:
        detail = str(json.loads(response.content)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{response.url} answers {code}"
    match code:
        case HTTPStatus.GONE:
            return PageGone(detail)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Denied(detail)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RetryLater(detail)
    return CallerError(detail) if code < HTTPStatus.INTERNAL_SERVER_ERROR else RetryLater(detail)
