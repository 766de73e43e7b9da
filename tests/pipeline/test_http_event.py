"""Requests come apart as API Gateway packed them, and every mistake is answered as a problem."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.errors import CallerError, ImageRejected, NoStack, RejectReason, RetryLater
from pipeline.http_event import Answer, Request, json_answer, make_http_handler, problem_of, text_in


def event(**parts: Any) -> dict[str, Any]:
    return {"routeKey": "POST /x", "requestContext": {}} | parts


def test_a_request_has_its_parts_decoded() -> None:
    request = Request.of_event(
        event(
            headers={"Content-Type": "Image/JPEG; q=1"},
            queryStringParameters={"language": "de"},
            pathParameters={"file": "a"},
            body=base64.b64encode(b"\xff\xd8").decode(),
            isBase64Encoded=True,
        )
    )

    assert (request.body, request.media_type) == (b"\xff\xd8", "image/jpeg")
    assert (request.query["language"], request.path["file"]) == ("de", "a")


def test_what_is_absent_is_empty() -> None:
    request = Request.of_event(event(headers=None, queryStringParameters=None, pathParameters=None, body=None))

    assert (request.body, request.media_type, request.caller, dict(request.query)) == (b"", "", "", {})


@pytest.mark.parametrize(
    ("authorizer", "caller"),
    [
        ({"jwt": {"claims": {"sub": "1", "email": "anna@shop.example"}}}, "anna@shop.example"),
        ({"jwt": {"claims": {"sub": "1"}}}, "1"),
        ({"iam": {"userArn": "arn:aws:iam::1:user/anna"}}, "arn:aws:iam::1:user/anna"),
        ({}, ""),
        (None, ""),
    ],
)
def test_who_asks_is_known_where_somebody_signed_in(authorizer: Any, caller: str) -> None:
    assert Request.of_event(event(requestContext={"authorizer": authorizer})).caller == caller


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallerError("a mistake"), 400),
        (ImageRejected(RejectReason.BYTES, "too large"), 413),
        (ImageRejected(RejectReason.NOT_IMAGE, "none"), 415),
        (ImageRejected(RejectReason.FORMAT, "HEIC"), 415),
        (ImageRejected(RejectReason.CORRUPT, "damaged"), 422),
        (ImageRejected(RejectReason.MISSING, "gone"), 404),
        (ImageRejected(RejectReason.DENIED, "no"), 403),
        (RetryLater("throttled"), 503),
        (NoStack("s3://a-name-of-ours"), 503),
    ],
)
def test_every_error_of_ours_has_its_status(error: Any, status: int) -> None:
    answer = problem_of(error)
    told = json.loads(answer.body)

    assert (answer.status, told["status"], answer.media_type) == (status, status, "application/problem+json")
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize("reason", RejectReason)
def test_no_rejection_is_our_own_fault(reason: RejectReason) -> None:
    answer = problem_of(ImageRejected(reason, "why"))

    assert 400 <= answer.status < 500
    assert json.loads(answer.body)["reason"] == reason


def test_what_failed_on_our_side_is_told_to_the_operator_alone() -> None:
    warned: list[str] = []

    def fail(request: Request) -> Answer:
        raise NoStack("the table catalog-tagger-Table-1")

    answered = make_http_handler({"POST /x": fail}, warned.append)(event(), None)

    assert answered["statusCode"] == 503
    assert b"Table-1" not in base64.b64decode(answered["body"])
    assert "Table-1" in warned[0]


def test_a_bug_is_nobodys_to_catch() -> None:
    def fail(request: Request) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make_http_handler({"POST /x": fail})(event(), None)


def test_no_answer_is_kept_or_guessed_at() -> None:
    answered = make_http_handler({"POST /x": lambda request: json_answer({"ok": True})})(event(), None)

    assert answered["headers"]["cache-control"] == "no-store"
    assert answered["headers"]["x-content-type-options"] == "nosniff"
    assert json.loads(base64.b64decode(answered["body"])) == {"ok": True}


@pytest.mark.parametrize("value", [None, "", 5, [], "x" * 11, "\ud800"])
def test_a_text_is_asked_for_within_its_limit(value: object) -> None:
    with pytest.raises(CallerError):
        text_in({"name": value}, "name", 10)
