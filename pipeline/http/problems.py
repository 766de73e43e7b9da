"""Problems of the API in the form of RFC 9457: which error becomes which problem, and what the caller reads."""

from __future__ import annotations

import binascii
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from pydantic import BaseModel, ValidationError

from pipeline.errors import BadExport, BadQuery, CallerError, CatalogTaggerError, ImageRejected, NoExport, PageGone
from pipeline.http.models import QUERY_MISTAKES, Problem, ProblemCode, Refusal
from pipeline.reject_reasons import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

Model = TypeVar("Model", bound=BaseModel)
MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:catalog-tagger:problem:"
RETRY_AFTER_S = 2  # chosen by us: most throttles are over by then

PROBLEMS: Mapping[ProblemCode, tuple[HTTPStatus, str]] = {
    ProblemCode.INVALID_REQUEST: (HTTPStatus.BAD_REQUEST, "Invalid request"),
    ProblemCode.UNKNOWN_PARAMETER: (HTTPStatus.BAD_REQUEST, "Unknown parameter"),
    ProblemCode.ORIGIN_REFUSED: (HTTPStatus.FORBIDDEN, "This website may not make changes"),
    ProblemCode.NOT_FOUND: (HTTPStatus.NOT_FOUND, "Not found"),
    ProblemCode.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
    ProblemCode.PAGE_GONE: (HTTPStatus.GONE, "The page is gone"),
    ProblemCode.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The answer would be too large"),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported type of body"),
    ProblemCode.PHOTO_REJECTED: (HTTPStatus.UNPROCESSABLE_ENTITY, "The photo cannot be tagged"),
    ProblemCode.NO_EXPORT: (HTTPStatus.SERVICE_UNAVAILABLE, "Nothing has been exported yet"),
    ProblemCode.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "Temporarily unavailable"),
    **dict.fromkeys(QUERY_MISTAKES, (HTTPStatus.BAD_REQUEST, "Invalid query")),
}

# A rejected photo is 422 unless HTTP has a more exact status.
REJECTION_STATUS: Mapping[RejectReason, HTTPStatus] = {
    RejectReason.BYTES: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RejectReason.FORMAT: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RejectReason.NOT_IMAGE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RejectReason.MISSING: HTTPStatus.NOT_FOUND,
    RejectReason.DENIED: HTTPStatus.FORBIDDEN,
}

_GATEWAY_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: "Not signed in",
    HTTPStatus.FORBIDDEN: "Signed in, but without permission",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
}
# Every operation can answer with these.
ALWAYS = (
    ProblemCode.INVALID_REQUEST,
    ProblemCode.UNKNOWN_PARAMETER,
    ProblemCode.TOO_LARGE,
    ProblemCode.UNAVAILABLE,
)


def describe_problems(codes: Iterable[ProblemCode]) -> dict[int, Any]:
    """Return the ``responses`` of an operation in OpenAPI: those problems, and those that every operation has."""
    contents: dict[HTTPStatus, dict[str, Any]] = {
        status: {"application/json": {"model": Refusal}} for status in _GATEWAY_REFUSALS
    }
    titles = {status: [title] for status, title in _GATEWAY_REFUSALS.items()}
    for code in (*ALWAYS, *codes):
        for status in _statuses(code):
            contents.setdefault(status, {})[MEDIA_TYPE] = {"model": Problem}
            titles.setdefault(status, []).append(f"`{code}`: {PROBLEMS[code][1]}")
    return {
        int(status): {"description": "; ".join(dict.fromkeys(titles[status])), "content": contents[status]}
        for status in sorted(contents)
    }


def _statuses(code: ProblemCode) -> list[HTTPStatus]:
    exact = REJECTION_STATUS.values() if code is ProblemCode.PHOTO_REJECTED else ()
    return [PROBLEMS[code][0], *dict.fromkeys(exact)]


def problem_response(  # noqa: PLR0913 - the members of RFC 9457, and what belongs to them
    code: ProblemCode,
    detail: str,
    *,
    status: HTTPStatus | None = None,
    reason: RejectReason | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """Return a problem as an answer; ``status`` replaces the status of the code."""
    default_status, title = PROBLEMS[code]
    status = status or default_status
    document: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{code}",
        "title": title,
        "status": int(status),
        "detail": detail,
        "code": str(code),
    }
    document |= {"errors": errors} if errors else {}
    document |= {"reason": str(reason)} if reason else {}
    sent: dict[str, str | list[str]] = {**(headers or {})}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        sent["retry-after"] = str(RETRY_AFTER_S)
    return Response(int(status), MEDIA_TYPE, json.dumps(document), sent)


def invalid_request(errors: Iterable[Mapping[str, Any]]) -> Response[str]:
    """Return the problem of a request with invalid parts, each by its name; ``errors`` are pydantic's."""
    fields = [{"field": ".".join(map(str, error["loc"])), "detail": str(error["msg"])} for error in errors]
    detail = "; ".join(f"{field['field']}: {field['detail']}" for field in fields)
    return problem_response(ProblemCode.INVALID_REQUEST, detail, errors=fields)


def parse_body(model: type[Model], body: bytes) -> Model:
    """Return the JSON body as the model, for a route that reads its body itself.

    Raises:
        RequestValidationError: it is not JSON, or does not match the model.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_input=False)
        errors = [{"loc": ("body", *detail["loc"]), "msg": detail["msg"]} for detail in details]
        raise RequestValidationError(errors) from error


def wrong_type(media_type: str, expected: str) -> RequestUnsupportedContentType:
    """Return the error for a body whose Content-Type this path does not accept."""
    sent = f"the body is {media_type}" if media_type else "the request has no Content-Type"
    message = f"{sent}; send {expected}"
    return RequestUnsupportedContentType(message, [{"loc": ("body",), "msg": message}])


def answer_problems(app: APIGatewayHttpResolver, warn: Callable[[str], None]) -> None:
    """Make the app answer every error of ``pipeline.errors``, and every malformed request, as a problem.

    What failed on our side goes to ``warn`` and not to the caller. Bugs are not caught.
    """

    def on(error: type[Exception], respond: Callable[[Any], Response[str]]) -> None:
        app.exception_handler(error)(respond)

    def unavailable(error: Exception) -> Response[str]:
        warn(f"{type(error).__name__}: {error}")
        return problem_response(ProblemCode.UNAVAILABLE, "the service cannot answer at the moment; try again")

    def not_exported(error: NoExport) -> Response[str]:
        warn(f"{type(error).__name__}: {error}")
        return problem_response(
            ProblemCode.NO_EXPORT, "nothing has been exported yet; try again after the first export"
        )

    def undecodable(error: Exception) -> Response[str]:
        del error
        return problem_response(ProblemCode.INVALID_REQUEST, "the body does not match its headers")

    on(CatalogTaggerError, unavailable)
    on(BadExport, unavailable)  # a CallerError for commands; over HTTP the export is ours
    on(NoExport, not_exported)
    on(CallerError, lambda error: problem_response(ProblemCode.INVALID_REQUEST, str(error)))
    on(BadQuery, lambda error: problem_response(ProblemCode(error.code), str(error)))
    on(PageGone, lambda error: problem_response(ProblemCode.PAGE_GONE, str(error)))
    on(ImageRejected, _rejected)
    on(RequestValidationError, lambda error: invalid_request(error.errors()))
    on(RequestUnsupportedContentType, _unsupported)
    on(NotFoundError, lambda error: _not_found(app, error))
    on(UnicodeDecodeError, undecodable)
    on(binascii.Error, undecodable)
    on(RecursionError, lambda _: problem_response(ProblemCode.INVALID_REQUEST, "the body is nested too deeply"))


def _rejected(error: ImageRejected) -> Response[str]:
    status = REJECTION_STATUS.get(error.reason)
    return problem_response(ProblemCode.PHOTO_REJECTED, error.detail, status=status, reason=error.reason)


def _unsupported(error: RequestUnsupportedContentType) -> Response[str]:
    detail = "; ".join(str(problem["msg"]) for problem in error.errors())
    return problem_response(ProblemCode.UNSUPPORTED_MEDIA_TYPE, detail)


def _not_found(app: APIGatewayHttpResolver, error: NotFoundError) -> Response[str]:
    """Return the problem of an unknown path or resource, or of a method that the path does not accept."""
    path, method = app.current_event.path, app.current_event.http_method
    routes = app._static_routes + app._dynamic_routes  # noqa: SLF001 - nothing public lists the methods of a path
    allowed = sorted({route.method for route in routes if route.rule.match(path)})
    if allowed and method not in allowed:
        detail = f"{path} accepts {' or '.join(allowed)}, not {method}"
        return problem_response(ProblemCode.METHOD_NOT_ALLOWED, detail, headers={"allow": ", ".join(allowed)})
    return problem_response(ProblemCode.NOT_FOUND, str(error) if allowed else f"there is nothing at {path}")
