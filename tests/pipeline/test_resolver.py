"""Every function answers in the same way: mistakes as problems, changes from known websites, answers with an ETag."""

from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.errors import CallerError, ImageRejected, NoExport, NoStack, PageGone, RetryLater
from pipeline.http.models import AnswerModel, ProblemCode, RequestModel
from pipeline.http.problems import MEDIA_TYPE
from pipeline.http.resolver import HttpSettings, Resolver, Tag, caller_of
from pipeline.reject_reasons import RejectReason
from tests.api_caller import ApiCaller, caller_for, event_of


class Wish(RequestModel):
    """What the test's route takes."""

    word: str


class Echo(AnswerModel):
    """What the test's routes answer."""

    word: str
    caller: str = ""


class World:
    """A function with a route to read, one to change something, and one that fails as it is told."""

    def __init__(self, settings: HttpSettings | None = None, authorizer: Any = None) -> None:
        self.changes, self.warnings, self.failure = [], [], None
        self.caller = caller_for(self._add, settings=settings, warn=self.warnings.append, authorizer=authorizer)

    def _add(self, app: Resolver) -> None:
        @app.operation("GET", "/words/<word>", tag=Tag.SEARCH)
        def read_word(word: str, times: int = 1) -> Echo:
            """Return a word."""
            return Echo(word=word * times)

        @app.operation("POST", "/words", tag=Tag.SEARCH)
        def change_word(wish: Annotated[Wish, Body()]) -> Echo:
            """Change a word."""
            self.changes.append(wish.word)
            return Echo(word=wish.word, caller=app.caller)

        @app.operation("GET", "/failure", tag=Tag.SEARCH)
        def fail() -> Echo:
            """Fail."""
            raise self.failure


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def caller(world: World) -> ApiCaller:
    return world.caller


def test_a_route_answers_its_model(caller: ApiCaller) -> None:
    answer = caller.get("/v1/words/shoe/red", {"times": 2})

    assert (answer.status, answer.body) == (200, {"word": "shoe/redshoe/red", "caller": ""})
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (CallerError("a mistake"), 400, "invalid_request"),
        (NotFoundError("nothing is known of it"), 404, "not_found"),
        (PageGone("search again"), 410, "page_gone"),
        (ImageRejected(RejectReason.BYTES, "too large"), 413, "photo_rejected"),
        (ImageRejected(RejectReason.NOT_IMAGE, "none"), 415, "photo_rejected"),
        (ImageRejected(RejectReason.FORMAT, "HEIC"), 415, "photo_rejected"),
        (ImageRejected(RejectReason.CORRUPT, "damaged"), 422, "photo_rejected"),
        (ImageRejected(RejectReason.MISSING, "gone"), 404, "photo_rejected"),
        (ImageRejected(RejectReason.DENIED, "no"), 403, "photo_rejected"),
        (RetryLater("throttled"), 503, "unavailable"),
        (NoStack("s3://a-name-of-ours"), 503, "unavailable"),
        (NoExport("s3://a-name-of-ours"), 503, "no_export"),
    ],
)
def test_every_error_has_its_problem(world: World, error: Exception, status: int, code: str) -> None:
    world.failure = error
    answer = world.caller.get("/v1/failure")

    assert (answer.status, answer.body["status"], answer.body["code"]) == (status, status, code)
    assert answer.body["type"] == f"urn:catalog-tagger:problem:{code}"
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get("retry-after") == ("2" if status == 503 else None)


@pytest.mark.parametrize("reason", RejectReason)
def test_no_rejection_is_our_own_fault(world: World, reason: RejectReason) -> None:
    world.failure = ImageRejected(reason, "why")
    answer = world.caller.get("/v1/failure")

    assert 400 <= answer.status < 500
    assert answer.body["reason"] == reason


def test_what_failed_on_our_side_is_for_the_operator_alone(world: World) -> None:
    world.failure = NoStack("the table catalog-tagger-Table-1")
    answer = world.caller.get("/v1/failure")

    assert b"Table-1" not in answer.data
    assert "Table-1" in world.warnings[0]


def test_a_bug_is_nobodys_to_catch(world: World) -> None:
    world.failure = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        world.caller.get("/v1/failure")


def test_a_mistake_names_each_field_that_is_wrong(caller: ApiCaller) -> None:
    answer = caller.post("/v1/words", {"word": 5, "colour": "red"})

    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert [error["field"] for error in answer.body["errors"]] == ["body.word", "body.colour"]


def test_a_parameter_that_does_not_exist_is_refused_and_those_that_do_are_named(caller: ApiCaller) -> None:
    answer = caller.get("/v1/words/shoe", {"time": 2})

    assert (answer.status, answer.body["code"]) == (400, ProblemCode.UNKNOWN_PARAMETER)
    assert "'time'" in answer.body["detail"]
    assert "takes times" in answer.body["detail"]


@pytest.mark.parametrize("type_", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_of_another_type_than_json_changes_nothing(world: World, type_: str) -> None:
    headers = {"content-type": type_} if type_ else {}
    data = b"word=shoe" if "form-url" in type_ else b'{"word": "shoe"}'
    answer = world.caller.send("POST", "/v1/words", data=data, headers=headers)

    assert (answer.status, answer.body["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.body["detail"]
    assert world.changes == []


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"7", b"null", b'"text"'])
def test_a_body_that_is_no_object_is_a_mistake(world: World, data: bytes) -> None:
    headers = {"content-type": "application/json"}

    assert world.caller.send("POST", "/v1/words", data=data, headers=headers).status == 400
    assert world.changes == []


def test_a_body_that_is_not_base64_as_the_gateway_says_is_a_mistake(caller: ApiCaller) -> None:
    event = event_of("POST", "/v1/words", headers={"content-type": "application/json"})
    event |= {"body": "not base64", "isBase64Encoded": True}

    assert caller.answer(event).status == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),  # a program, or a browser that was not asked by a script
        ("https://api.example", 200),  # the API's own page
        ("https://admin.shop.example", 200),
        ("https://shop.example.evil.example", 403),
        ("https://evil.example/?https://api.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_only_known_websites_change_something(origin: str | None, status: int) -> None:
    world = World(HttpSettings(origins=("https://admin.shop.example",)))
    answer = world.caller.post("/v1/words", {"word": "shoe"}, **({} if origin is None else {"origin": origin}))

    assert answer.status == status
    assert world.changes == (["shoe"] if status == 200 else [])


def test_on_the_local_run_the_page_comes_from_the_host_that_it_calls(world: World) -> None:
    headers = {"host": "127.0.0.1:4566"}

    assert world.caller.post("/v1/words", {"word": "x"}, origin="http://127.0.0.1:4566", **headers).status == 200
    assert world.caller.post("/v1/words", {"word": "x"}, origin="http://127.0.0.1:9999", **headers).status == 403


def test_any_website_may_read_what_everybody_may(caller: ApiCaller) -> None:
    assert caller.get("/v1/words/shoe", origin="https://elsewhere.example").status == 200


def test_an_answer_that_the_caller_has_is_not_sent_again(caller: ApiCaller) -> None:
    first = caller.get("/v1/words/shoe")
    again = caller.get("/v1/words/shoe", if_none_match=f'"other", {first.headers["etag"]}')

    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status, again.data, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert caller.get("/v1/words/boot", if_none_match=first.headers["etag"]).status == 200
    assert "etag" not in caller.post("/v1/words", {"word": "shoe"}).headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, br", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_a_long_answer_is_packed_for_who_reads_that(caller: ApiCaller, accepted: str, packed: bool) -> None:
    answer = caller.get("/v1/words/shoe", {"times": 1000}, accept_encoding=accepted)

    assert answer.body["word"] == "shoe" * 1000
    assert ("content-encoding" in answer.headers) is packed
    assert answer.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in caller.get("/v1/words/shoe", accept_encoding=accepted).headers


def test_an_answer_that_aws_lambda_would_not_hand_on_is_a_problem(caller: ApiCaller) -> None:
    answer = caller.get("/v1/words/shoe", {"times": 2_000_000})

    assert (answer.status, answer.body["code"]) == (413, "too_large")
    assert caller.get("/v1/words/shoe", {"times": 2_000_000}, accept_encoding="gzip").status == 200


def test_the_limit_of_requests_is_announced_where_it_is_known(world: World) -> None:
    limited = World(HttpSettings.from_environment({"API_RATE": "50"})).caller

    assert limited.get("/v1/words/shoe").headers["ratelimit-policy"] == '"api";q=50;w=1'
    assert "ratelimit-policy" not in world.caller.get("/v1/words/shoe").headers


def test_a_path_says_which_methods_it_takes_and_one_that_is_none_is_not_found(caller: ApiCaller) -> None:
    answer = caller.send("DELETE", "/v1/words")

    assert (answer.status, answer.body["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert caller.get("/words").body["code"] == "not_found"


@pytest.mark.parametrize(
    ("authorizer", "name"),
    [
        ({"jwt": {"claims": {"sub": "1", "email": "anna@shop.example"}}}, "anna@shop.example"),
        ({"jwt": {"claims": {"sub": "1"}}}, "1"),
        ({"iam": {"userArn": "arn:aws:iam::1:user/anna"}}, "arn:aws:iam::1:user/anna"),
        ({}, ""),
        (None, ""),
    ],
)
def test_who_signed_in_is_known(authorizer: Any, name: str) -> None:
    assert caller_of({"requestContext": {"authorizer": authorizer}}) == name
    assert World(authorizer=authorizer).caller.post("/v1/words", {"word": "shoe"}).body["caller"] == name
