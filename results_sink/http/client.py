"""The API for a program in Python: each answer as a typed value, each problem as an error."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from pipeline.aws.clients import client, signed_headers, stack_outputs
from pipeline.errors import CallerError, Denied, PageGone, RetryLater
from pipeline.keywords import LANGUAGES
from pipeline.stack import STACK_NAME, STACK_VARIABLE, endpoint_url_of
from results_sink.http import models as answers
from results_sink.search import complete
from results_sink.search.search import FACETS, LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.images import ImageRef

    # Takes the method, the address, the headers and the body, and returns the headers to send.
    Signer = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
    Param = str | int | float

T = TypeVar("T", bound=AnswerModel)
TIMEOUT_S = 30.0  # Amazon API Gateway waits no longer for an answer


def unsigned(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """Return the headers as they are, for the local run, which asks nobody who they are."""
    del method, url, body
    return headers


@dataclass(frozen=True)
class CatalogClient:
    """Asks the API at an address.

    Every method raises ``CallerError`` for what was asked wrongly (``PageGone`` for a page that is gone), ``Denied``
    where the API refuses to answer, and ``RetryLater`` where it cannot answer now.
    """

    address: str
    sign: Signer = signed_headers
    timeout_s: float = TIMEOUT_S

    @classmethod
    def of_stack(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return a client of the stack that commands work on: the local one, or one on AWS, with signed requests.

        Raises:
            NoStack: there is none.
        """
        endpoint_url = endpoint_url_of(environment)
        name = STACK_NAME if endpoint_url else environment.get(STACK_VARIABLE) or STACK_NAME
        outputs = stack_outputs(client("cloudformation", endpoint_url), name)
        if endpoint_url:
            return cls(f"{endpoint_url}/_aws/execute-api/{outputs['HttpApiId']}/$default", unsigned)
        return cls(outputs["ApiUrl"])

    def search(  # noqa: PLR0913 - the parameters of the path
        self,
        query: str,
        *,
        by: str = "product",
        least: float = 0.0,
        limit: int = LIMIT,
        facets: int = FACETS,
        language: str = LANGUAGES[0],
        cursor: str = "",
    ) -> answers.SearchPage:
        """Return one page of results, best first."""
        asked: dict[str, Param] = {"q": query, "by": by, "min": least, "limit": limit, "facets": facets}
        return self._get(answers.SearchPage, "/search", {**asked, "language": language, "cursor": cursor})

    def results(self, query: str, *, by: str = "product", least: float = 0.0) -> Iterator[answers.Result]:
        """Yield all results, best first, a hundred at each request."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.search(query, by=by, least=least, limit=100, facets=0, cursor=cursor)
            yield from page.results
            cursor = page.next

    def suggest(
        self, typed: str, *, language: str = LANGUAGES[0], limit: int = complete.LIMIT
    ) -> Sequence[answers.Suggestion]:
        """Return words that begin as what was typed."""
        asked: dict[str, Param] = {"q": typed, "language": language, "limit": limit}
        return self._get(answers.Suggestions, "/suggest", asked).suggestions

    def image(self, image: ImageRef, *, language: str = LANGUAGES[0]) -> answers.Image | None:
        """Return what is known of an image now, or None where nothing is."""
        path = f"/images/{quote(image.bucket)}/{quote(image.key)}"
        return self._known(answers.Image, path, {"language": language})

    def product(self, product: str, *, language: str = LANGUAGES[0]) -> answers.Product | None:
        """Return what is known of a product now, or None where nothing is."""
        return self._known(answers.Product, f"/products/{quote(product)}", {"language": language})

    def products(self, ids: Sequence[str], *, language: str = LANGUAGES[0]) -> answers.Products:
        """Return what is known of up to a hundred products now."""
        url = f"/products:batch?{urlencode({'language': language})}"
        return self._answered(answers.Products, "POST", url, json.dumps({"ids": list(ids)}).encode())

    def keywords(self) -> answers.Taxonomy:
        """Return every keyword that an image can have."""
        return self._get(answers.Taxonomy, "/keywords", {})

    def health(self) -> answers.Health:
        """Return what the API answers from."""
        return self._get(answers.Health, "/healthz", {})

    def _known(self, model: type[T], path: str, asked: Mapping[str, Param]) -> T | None:
        return self._asked(model, "GET", f"{path}?{urlencode(asked)}")

    def _get(self, model: type[T], path: str, asked: Mapping[str, Param]) -> T:
        return self._answered(model, "GET", f"{path}?{urlencode(asked)}" if asked else path)

    def _answered(self, model: type[T], method: str, path: str, body: bytes = b"") -> T:
        found = self._asked(model, method, path, body)
        if found is None:
            raise CallerError(f"there is nothing at {self.address}{path}")
        return found

    def _asked(self, model: type[T], method: str, path: str, sent: bytes = b"") -> T | None:
        url = self.address.rstrip("/") + path
        headers = self.sign(method, url, {"content-type": "application/json"} if sent else {}, sent)
        request = Request(url, sent or None, dict(headers), method=method)  # noqa: S310 - the caller's own address
        try:
            with urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310 - as above
                body = answer.read()
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise _error_of(error.code, _body_of(error), url) from error
        except (OSError, HTTPException) as error:
            raise RetryLater(f"{url}: {str(error) or type(error).__name__}") from error
        try:
            return model.model_validate_json(body, extra="ignore")  # what a later API adds is passed over
        except ValueError as error:  # something between here and the API answers in its place
            raise RetryLater(f"{url}: the answer is no {model.__name__}") from error


def _body_of(error: HTTPError) -> bytes:
    """Return what came with the status: nothing, where the connection ended before it was whole."""
    try:
        return error.read()
    except (OSError, HTTPException):
        return b""


def _error_of(status: int, body: bytes, url: str) -> Exception:
    """Return the error that an answer stands for, in the words of its problem."""
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{url} answers {status}"
    match status:
        case HTTPStatus.GONE:
            return PageGone(detail)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Denied(detail)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RetryLater(detail)
    return CallerError(detail) if status < HTTPStatus.INTERNAL_SERVER_ERROR else RetryLater(detail)
