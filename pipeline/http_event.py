"""HTTP as API Gateway hands it over: requests, answers, and problems said as RFC 9457 asks."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.errors import CallerError, CatalogTaggerError, ImageRejected, RejectReason
from pipeline.images import is_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Route = Callable[["Request"], "Answer"]
    HttpHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

Choice = TypeVar("Choice", bound=StrEnum)
JSON, PROBLEM = "application/json", "application/problem+json"
OK, CREATED, BAD_REQUEST, FORBIDDEN, NOT_FOUND, TOO_LARGE, UNSUPPORTED, UNPROCESSABLE, UNAVAILABLE = (
    200,
    201,
    400,
    403,
    404,
    413,
    415,
    422,
    503,
)
RETRY_AFTER_S = 2  # chosen by us: a throttle is over by then, most often
# What stands on every answer: none is kept on the way, and none is read as anything but what it says it is.
GUARDS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_STATUS = {
    RejectReason.BYTES: TOO_LARGE,
    RejectReason.FORMAT: UNSUPPORTED,
    RejectReason.NOT_IMAGE: UNSUPPORTED,
    RejectReason.MISSING: NOT_FOUND,
    RejectReason.DENIED: FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its route as the API names it, and its parts, decoded. ``caller`` is empty where nobody signed in.

    Header names are in lower case.
    """

    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller: str = ""

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> Self:
        """Return the request of an event in API Gateway's payload format 2.0."""
        body = event.get("body") or ""
        return cls(
            route=event["routeKey"],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
            caller=_caller(event["requestContext"].get("authorizer") or {}),
        )

    @property
    def media_type(self) -> str:
        """What the body says it is, in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def document(self) -> dict[str, Any]:
        """Return the body, a JSON object.

        Raises:
            CallerError: it is none.
        """
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise CallerError("the body is not JSON") from error
        if not isinstance(document, dict):
            raise CallerError(f"the body is a JSON {type(document).__name__}, not an object")
        return document


def _caller(authorizer: dict[str, Any]) -> str:
    claims = authorizer.get("jwt", {}).get("claims", {})
    named = (
        claims.get("email") or claims.get("username") or claims.get("sub") or authorizer.get("iam", {}).get("userArn")
    )
    return str(named or "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. Headers stand beside those that every answer has."""

    body: bytes
    status: int = OK
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_event(self) -> dict[str, Any]:
        """Return what a function hands to API Gateway."""
        return {
            "statusCode": self.status,
            "headers": {**GUARDS, "content-type": self.media_type, **self.headers},
            "body": base64.b64encode(self.body).decode(),
            "isBase64Encoded": True,
        }


def json_answer(document: Any, status: int = OK) -> Answer:
    """Return the document as an answer."""
    return Answer(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), status)


def problem(status: int, title: str, detail: str, **facts: Any) -> Answer:
    """Return a problem: a title that is the same each time, what it is this time, and facts for programs."""
    document = {"title": title, "status": status, "detail": detail, **facts}
    answer = json_answer(document, status)
    return Answer(answer.body, status, PROBLEM, {"retry-after": str(RETRY_AFTER_S)} if status == UNAVAILABLE else {})


def problem_of(error: CatalogTaggerError) -> Answer:
    """Return the problem that an error is for the caller."""
    if isinstance(error, ImageRejected):
        status = _STATUS.get(error.reason, UNPROCESSABLE)
        return problem(status, "The photo cannot be read", error.detail, reason=str(error.reason))
    if isinstance(error, CallerError):
        return problem(BAD_REQUEST, "The request has a mistake", str(error))
    return problem(UNAVAILABLE, "Not now", "the answer is not to be had at the moment; ask again")


def make_http_handler(routes: Mapping[str, Route], warn: Callable[[str], None] = print) -> HttpHandler:
    """Return the handler of a function that answers these routes: the caller's mistakes become problems.

    What failed on our side is told by ``warn``, and to the caller only that it did. A bug is nobody's to catch.
    """

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        del context
        try:
            request = Request.of_event(event)
            answer = routes[request.route](request)
        except (binascii.Error, UnicodeDecodeError):
            answer = problem(BAD_REQUEST, "The request has a mistake", "the body is not what its headers say")
        except (ImageRejected, CallerError) as error:
            answer = problem_of(error)
        except CatalogTaggerError as error:
            warn(f"{type(error).__name__}: {error}")
            answer = problem_of(error)
        return answer.to_event()

    return handle


def text_in(document: Mapping[str, Any], name: str, longest: int) -> str:
    """Return the text of this name.

    Raises:
        CallerError: there is none, it is longer than so many characters, or it holds halves of characters.
    """
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise CallerError(f"{name!r} must be a text of at least one character")
    if not is_unicode(value):  # JSON can spell them, and neither a table nor an answer can hold them
        raise CallerError(f"{name!r} is not valid Unicode")
    if len(value) > longest:
        raise CallerError(f"{name!r} has {len(value):,} characters; the limit is {longest:,}")
    return value


def choice_in(document: Mapping[str, Any], name: str, choices: type[Choice]) -> Choice:
    """Return which of the choices the document names.

    Raises:
        CallerError: none of them, or something that is no text.
    """
    value = document.get(name)
    if not isinstance(value, str) or value not in set(choices):
        raise CallerError(f"{name!r} must be one of {', '.join(choices)}")
    return choices(value)
