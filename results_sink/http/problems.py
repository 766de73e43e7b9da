"""Problems of the API, as RFC 9457 asks: which error has which status, and what the caller is told."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from pipeline.errors import BadExport, CallerError, Denied, NoExport, NoStack, PageGone, RetryLater
from results_sink.http.models import MAX_ANSWER_BYTES, Problem, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2  # chosen by us: a throttle is mostly over by then
GUARDS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_TITLES = {
    HTTPStatus.BAD_REQUEST: "The request has a mistake",
    HTTPStatus.NOT_FOUND: "There is no such thing",
    HTTPStatus.METHOD_NOT_ALLOWED: "There is no such method here",
    HTTPStatus.GONE: "The page is gone",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The answer would be too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request is not of the form that is asked for",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
}


_REFUSALS = {  # of Amazon API Gateway, which asks nobody here
    HTTPStatus.UNAUTHORIZED: "Nobody who is known has signed in",
    HTTPStatus.FORBIDDEN: "Who asks may not",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much is asked at once",
}


def told(*statuses: HTTPStatus) -> dict[int, Any]:
    """Return these problems as an operation's OpenAPI document tells them; those that each has are among them."""
    every = (*statuses, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
    ours, gateways = {MEDIA_TYPE: {"model": Problem}}, {"application/json": {"model": Refusal}}
    problems = {int(status): {"description": _TITLES[status], "content": ours} for status in every}
    return problems | {int(status): {"description": said, "content": gateways} for status, said in _REFUSALS.items()}


def problem(status: HTTPStatus, detail: str, *, reason: str = "", **headers: str) -> Response[str]:
    """Return a problem as an answer."""
    body = {"title": _TITLES[status], "status": int(status), "detail": detail} | ({"reason": reason} if reason else {})
    sent = {**GUARDS, **headers}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        sent["retry-after"] = str(RETRY_AFTER_S)
    return Response(int(status), MEDIA_TYPE, json.dumps(body, ensure_ascii=False), {**sent})


def answer_problems(app: APIGatewayHttpResolver, logger: Logger) -> None:
    """Make the app answer the caller's mistakes, and what is not to be had, as problems. A bug stays one."""

    def answer(error: type[Exception], respond: Callable[[Any], Response[str]]) -> None:
        app.exception_handler(error)(respond)

    def unavailable(error: Exception) -> Response[str]:
        logger.warning("unavailable", reason=f"{type(error).__name__}: {error}")
        if isinstance(error, NoExport):
            detail = "nothing was exported yet; what is asked for is there after the first export"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, reason="no_export")
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the answer is not to be had at the moment; ask again")

    answer(CallerError, lambda error: problem(HTTPStatus.BAD_REQUEST, str(error)))
    answer(PageGone, lambda error: problem(HTTPStatus.GONE, str(error)))
    answer(RequestValidationError, lambda error: problem(HTTPStatus.UNPROCESSABLE_ENTITY, _invalid(error)))
    answer(RequestUnsupportedContentType, lambda error: problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _invalid(error)))
    answer(NotFoundError, lambda error: _nothing_here(app, error))
    for error in (BadExport, RetryLater, Denied, NoStack):
        answer(error, unavailable)


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a function's answer, or in its place the problem that it is larger than AWS Lambda hands on."""
    sent_bytes = len(json.dumps(answer))  # with every quotation mark escaped once more, as it is sent
    if sent_bytes <= MAX_ANSWER_BYTES:
        return answer
    detail = f"the answer would have {sent_bytes:,} bytes; the limit is {MAX_ANSWER_BYTES:,}: ask for less at once"
    told_instead = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    headers = {**told_instead.headers, "content-type": MEDIA_TYPE}
    body = {"statusCode": told_instead.status_code, "body": told_instead.body, "headers": headers}
    return {**body, "isBase64Encoded": False, "cookies": []}


def _invalid(error: RequestValidationError | RequestUnsupportedContentType) -> str:
    """Return what is wrong, each part of the request by its name."""
    return "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())


def _nothing_here(app: APIGatewayHttpResolver, error: NotFoundError) -> Response[str]:
    """Return that a path, or what it names, is not there; or that it takes another method."""
    path, method = app.current_event.path, app.current_event.http_method
    allowed = sorted({route.method for route in app._static_routes + app._dynamic_routes if route.rule.match(path)})  # noqa: SLF001 - nothing public says which methods a path has
    if allowed and method not in allowed:
        detail = f"{path} takes {' or '.join(allowed)}, not {method}"
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, allow=", ".join(allowed))
    return problem(HTTPStatus.NOT_FOUND, str(error) if allowed else f"there is nothing at {path}")
