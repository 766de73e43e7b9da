"""The resolver behind every route, and the handler of a function that answers through it."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self, TypeVar, get_type_hints
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware

from pipeline.front_settings import names_in
from pipeline.http.models import ProblemCode
from pipeline.http.problems import answer_problems, describe_problems, problem_response, wrong_type
from pipeline.settings import whole_number

HttpHandler = Callable[[dict[str, Any], Any], dict[str, Any]]
Function = TypeVar("Function", bound=Callable[..., Any])

VERSION = "/v1"  # in front of every path of the API; a change that breaks a client gets another one
JSON = "application/json"
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # the largest answer that AWS Lambda passes on
MIN_GZIP_BYTES = 1_024  # chosen by us: below that, gzip saves less than a packet
GUARDS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
COMPRESSED_TYPES = ("application/json", "application/problem+json", "text/", "image/svg+xml")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Tag(StrEnum):
    """The groups of the API's document."""

    SEARCH = "search"
    LOOKUP = "lookup"
    CLASSIFY = "classify"
    UPLOAD = "upload"
    REVIEW = "review"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Settings of every function that answers over HTTP.

    Attributes:
        origins: further websites whose scripts may make changes; the API's own page always may.
        requests_per_second: the gateway's limit, which answers announce; 0 announces none.
    """

    origins: tuple[str, ...] = ()
    requests_per_second: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings in CORS_ORIGINS (comma-separated) and API_RATE (requests a second)."""
        return cls(
            origins=names_in(environment, "CORS_ORIGINS"),
            requests_per_second=whole_number(environment, "API_RATE", default=0, lowest=0, highest=10_000),
        )


# Together with the check of Origin, this keeps other websites from making changes (DECISIONS.md, 63).
class _JsonValidation(OpenAPIRequestValidationMiddleware):
    """Accepts only JSON bodies: any website can make a browser send a form without a preflight request."""

    def _get_body(self, app: Any) -> dict[str, Any]:
        if app.media_type != JSON:
            raise wrong_type(app.media_type, JSON)
        body: dict[str, Any] = super()._get_body(app)
        return body


# Functions with a single route use it too, so that problems look the same everywhere (DECISIONS.md, 61).
class Resolver(APIGatewayHttpResolver):
    """Routes requests in API Gateway's payload format 2.0, checks them, and answers mistakes as problems.

    The last variable of a path may contain slashes and any other character. A resolver answers one request at a time,
    as AWS Lambda sends them, because Powertools stores the current request where all threads see it.
    """

    def __init__(self, warn: Callable[[str], None], settings: HttpSettings | None = None) -> None:
        """Make a resolver without routes; ``warn`` receives what failed on our side."""
        super().__init__(enable_validation=True)
        self._settings = settings or HttpSettings()
        self._request_validation_middleware = _JsonValidation()  # type: ignore[no-untyped-call]
        self.use([self._check_request])
        answer_problems(self, warn)

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "^{}$") -> re.Pattern[str]:
        pattern = re.sub(r"/<(\w+)>", r"/(?P<\1>[^/]+)", re.sub(r"/<(\w+)>(?=[^<>]*$)", r"/(?P<\1>.+)", rule))
        return re.compile(base_regex.format(pattern), re.DOTALL)

    def operation(  # noqa: PLR0913 - what the document says of an operation
        self,
        method: str,
        path: str,
        *,
        tag: Tag,
        status: HTTPStatus = HTTPStatus.OK,
        problems: Sequence[ProblemCode] = (),
        request_body: Mapping[str, Any] | None = None,
        media_type: str = JSON,
    ) -> Callable[[Function], Function]:
        """Return a decorator that makes a function answer this path of the API, below ``VERSION``.

        The function's parameters are those of the request, and what it returns is a model: the document is made from
        both. Its name is the operation's id, and its docstring the summary and the description.

        Args:
            method: the HTTP method.
            path: below the version, each variable part as ``<name>``.
            tag: the group in the document.
            status: of the answer.
            problems: the problems it can answer with, beside those of every operation.
            request_body: the document's description of a body that the function reads itself.
            media_type: of the answer. If it is not JSON, the function returns a response with the file's bytes.
        """
        changes = [ProblemCode.ORIGIN_REFUSED] if method not in SAFE_METHODS else []

        def register(function: Function) -> Function:
            summary, _, description = (function.__doc__ or "").partition("\n")
            model = get_type_hints(function, include_extras=True)["return"]
            content = {"model": model} if media_type == JSON else {"schema": {"type": "string", "format": "binary"}}
            answer: Any = {"description": summary, "content": {media_type: content}}
            if media_type != JSON:
                del function.__annotations__["return"]  # Powertools would read the bytes as text to validate them
            self.route(
                VERSION + path,
                method,
                summary=summary.rstrip("."),
                description=re.sub(r"\s+", " ", description).strip() or None,
                responses={int(status): answer, **describe_problems([*problems, *changes])},
                tags=[str(tag)],
                operation_id=function.__name__,
                openapi_extensions={"requestBody": dict(request_body)} if request_body else None,
                status_code=int(status),
            )(function)
            return function

        return register

    def file(self, path: str, function: Callable[..., Response[Any]]) -> None:
        """Make a function answer GET of a path that is no part of the API: a file of the page."""
        self.get(path, include_in_schema=False, enable_validation=False)(function)

    @property
    def caller(self) -> str:
        """The signed-in caller of the current request; empty if no sign-in is required."""
        return caller_of(self.current_event.raw_event)

    @property
    def header(self) -> Mapping[str, str]:
        """The headers of the current request, by name in any case."""
        return self.current_event.headers

    @property
    def media_type(self) -> str:
        """The media type of the current request's body, in lower case, without parameters."""
        return self.header.get("content-type", "").partition(";")[0].strip().lower()

    def body(self) -> bytes:
        """Return the decoded body of the current request.

        Raises:
            binascii.Error: it is not base64, although the gateway says so.
        """
        text = self.current_event.get("body") or ""
        if self.current_event.get("isBase64Encoded"):
            return base64.b64decode(text, validate=True)
        return str(text).encode(errors="surrogatepass")

    def _check_request(self, app: "Resolver", next_middleware: NextMiddleware) -> Response[Any]:
        """Refuse what the validation of parameters does not check."""
        route: Route = app.context["_route"]
        if not route.include_in_schema or route not in (*app._static_routes, *app._dynamic_routes):  # noqa: SLF001 - our own
            return next_middleware(app)
        return self._refuse_origin() or self._refuse_unknown(route) or next_middleware(app)

    def _refuse_origin(self) -> Response[str] | None:
        """Refuse changes by scripts of other websites, which would act with the rights of the browser's user."""
        origin = self.header.get("origin")
        if self.current_event.http_method in SAFE_METHODS or origin is None:
            return None
        own = {self.header.get("host", ""), self.current_event.request_context.get("domainName") or ""} - {""}
        if origin in self._settings.origins or urlsplit(origin).netloc in own:
            return None
        return problem_response(
            ProblemCode.ORIGIN_REFUSED,
            f"scripts of {origin} may not make changes; the parameter CorsOrigins lists those that may",
        )

    def _refuse_unknown(self, route: Route) -> Response[str] | None:
        known = {parameter.alias for parameter in route.dependant.query_params}
        unknown = sorted(set(self.current_event.get("queryStringParameters") or {}) - known)
        if not unknown:
            return None
        takes = f"takes {', '.join(sorted(known))}" if known else "takes none"
        named = ", ".join(map(repr, unknown))
        return problem_response(ProblemCode.UNKNOWN_PARAMETER, f"there is no parameter {named}; {route.path} {takes}")


def caller_of(event: Mapping[str, Any]) -> str:
    """Return the signed-in caller of an API Gateway event: an address, a name or an ARN; empty if nobody signed in."""
    authorizer = event["requestContext"].get("authorizer") or {}
    claims = authorizer.get("jwt", {}).get("claims", {})
    names = (claims.get("email"), claims.get("username"), claims.get("sub"), authorizer.get("iam", {}).get("userArn"))
    return str(next(filter(None, names), ""))


def make_http_handler(app: Resolver, settings: HttpSettings | None = None) -> HttpHandler:
    """Return the entry point of a function: one request, one answer, with the headers that every answer has."""
    settings = settings or HttpSettings()

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        request = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        method = event["requestContext"]["http"]["method"]
        answer = app.resolve(event, context)
        headers = {**GUARDS, **{name.lower(): value for name, value in answer["headers"].items()}}
        if settings.requests_per_second:
            headers["ratelimit-policy"] = f'"api";q={settings.requests_per_second};w=1'
        answer["headers"] = headers
        if method == "GET" and answer["statusCode"] == HTTPStatus.OK:
            answer = _revalidated(answer, request.get("if-none-match", ""))
        return _bounded(_compressed(answer, request.get("accept-encoding", "")))

    return handle


def _revalidated(answer: dict[str, Any], known: str) -> dict[str, Any]:
    """Return the answer with an ETag, and without its body if the caller has it already (RFC 9110, 13.1.2)."""
    headers = answer["headers"]
    if "etag" not in headers:
        headers["etag"] = f'W/"{hashlib.sha256(str(answer["body"]).encode()).hexdigest()[:16]}"'
        headers["cache-control"] = "private, no-cache"  # cached by the caller alone, and revalidated each time
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if headers["etag"].removeprefix("W/") not in tags:
        return answer
    kept = {name: value for name, value in headers.items() if name != "content-type"}
    return {**answer, "statusCode": int(HTTPStatus.NOT_MODIFIED), "body": "", "isBase64Encoded": False, "headers": kept}


def _compressed(answer: dict[str, Any], accepted: str) -> dict[str, Any]:
    """Return the answer compressed by gzip if the caller accepts that and it saves something."""
    headers = answer["headers"]
    if not headers.get("content-type", "").startswith(COMPRESSED_TYPES):
        return answer
    headers["vary"] = ", ".join(filter(None, (headers.get("vary"), "accept-encoding")))
    body = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else str(answer["body"]).encode()
    if len(body) < MIN_GZIP_BYTES or not _accepts_gzip(accepted):
        return answer
    packed = base64.b64encode(gzip.compress(body, 6, mtime=0)).decode()
    return {**answer, "body": packed, "isBase64Encoded": True, "headers": {**headers, "content-encoding": "gzip"}}


def _accepts_gzip(accepted: str) -> bool:
    for coding in accepted.lower().replace(" ", "").split(","):
        name, _, weight = coding.partition(";q=")
        if name == "gzip":
            return not weight or weight.strip("0.") != ""
    return False


def _bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, or a problem if it is larger than AWS Lambda passes on."""
    sent_bytes = len(json.dumps(answer))  # with every quotation mark escaped once more, as it is sent
    if sent_bytes <= MAX_ANSWER_BYTES:
        return answer
    detail = f"the answer would have {sent_bytes:,} bytes; the limit is {MAX_ANSWER_BYTES:,}: request less at once"
    problem = problem_response(ProblemCode.TOO_LARGE, detail)
    headers = {**GUARDS, "content-type": str(problem.content_type)}
    sent = {"statusCode": problem.status_code, "body": problem.body, "headers": headers}
    return {**sent, "isBase64Encoded": False, "cookies": []}
