"""What is sent past botocore's layers: the same requests, and boto3 for all that does not plainly succeed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3 import HTTPResponse
from urllib3._collections import HTTPHeaderDict

from pipeline.aws.clients import client
from pipeline.aws.direct import DirectDynamo, DirectS3, SignedSender
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.errors import RetryLater, RevisionConflict, TooLarge
from pipeline.images import FetchedImage, Gone, ImageRef, Unchanged
from pipeline.records import GoneImage, Observation
from tests.aws_world import ODD_KEYS

pytestmark = pytest.mark.usefixtures("aws_environment")

IMAGE = ImageRef("shop", "shoes/4711 front.jpg")
OBJECT = {"ETag": '"e1"', "Last-Modified": "Fri, 27 Nov 2026 05:00:00 GMT"}
GONE = GoneImage(
    Observation(
        image=IMAGE,
        product="4711",
        run_id=None,
        observed_at=datetime(2026, 3, 1, tzinfo=UTC),
        etag=None,
        object_time=None,
        model_version="m",
        taxonomy_version="t",
    )
)
CLOSED = ConnectionClosedError(endpoint_url="https://shop")


class FakeHttp:
    """A connection that gives the answers it was made with, and keeps the requests."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def send(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(status, body=b"", **headers):
    raw = HTTPResponse(BytesIO(body), preload_content=False)
    return SimpleNamespace(status_code=status, headers=HTTPHeaderDict(headers | OBJECT), raw=raw)


def status_of(first):
    """Return what tells this answer from the others, as a test's id."""
    return str(getattr(first, "status_code", first))


def whole(body, **headers):
    return answer(200, body, **{"Content-Length": str(len(body))} | headers)


def botos(s3_or_dynamodb, status, body=b"", **headers):
    """Let boto3 get this answer to whatever it sends, and return the list of what it sends."""
    requests = []

    def respond(request, **_):
        requests.append(request)
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaderDict(headers), raw)

    s3_or_dynamodb.meta.events.register("before-send", respond)
    return requests


def as_text(header):
    return header.decode() if isinstance(header, bytes) else header


def direct_s3(*answers):
    s3, http = client("s3"), FakeHttp(*answers)
    sender = SignedSender.of(s3, S3SigV4Auth)
    return DirectS3(s3, SignedSender(sender.credentials, sender.auth, sender.service, sender.region, http)), http


def direct_dynamo(*answers):
    dynamodb, http = client("dynamodb"), FakeHttp(*answers)
    sender = SignedSender.of(dynamodb, SigV4Auth)
    return DirectDynamo(
        dynamodb, SignedSender(sender.credentials, sender.auth, sender.service, sender.region, http)
    ), http


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_object_has_the_address_that_boto3_would_use(key):
    direct, _ = direct_s3()
    requests = botos(direct.s3, 200, **{"Content-Length": "0"} | OBJECT)
    direct.s3.get_object(Bucket="shop", Key=key)
    assert direct.address("shop", key) == requests[0].url


def test_an_object_is_fetched_without_boto3():
    direct, http = direct_s3(whole(b"pixels"))
    requests = botos(direct.s3, 500)
    fetched = S3Images(direct).fetch(IMAGE, None, 100)
    assert fetched == FetchedImage(b"pixels", '"e1"', datetime(2026, 11, 27, 5, tzinfo=UTC))
    assert requests == []
    assert http.requests[0].headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert "If-None-Match" not in http.requests[0].headers


def test_an_object_that_has_not_changed_is_asked_for_by_its_etag():
    direct, http = direct_s3(answer(304))
    assert S3Images(direct).fetch(IMAGE, '"e1"', 100) == Unchanged()
    assert http.requests[0].headers["If-None-Match"] == '"e1"'


def test_an_object_that_is_too_large_is_not_downloaded():
    direct, _ = direct_s3(large := whole(b"x" * 101))
    with pytest.raises(TooLarge, match="101 bytes"):
        S3Images(direct).fetch(IMAGE, None, 100)
    assert large.raw.tell() == 0


def test_an_object_that_breaks_off_is_fetched_again_later():
    direct, _ = direct_s3(answer(200, b"pix", **{"Content-Length": "6"}))
    with pytest.raises(RetryLater):
        S3Images(direct).fetch(IMAGE, None, 100)


@pytest.mark.parametrize("first", [CLOSED, answer(301), answer(403), answer(404), answer(503)], ids=status_of)
def test_what_does_not_plainly_succeed_is_boto3s(first):
    direct, _ = direct_s3(first)
    requests = botos(direct.s3, 404, b"<Error><Code>NoSuchKey</Code></Error>")
    assert S3Images(direct).fetch(IMAGE, None, 100) == Gone()
    assert len(requests) == 1


def test_what_takes_too_long_goes_back_to_the_queue_at_once():
    direct, _ = direct_s3(ReadTimeoutError(endpoint_url="https://shop"))
    requests = botos(direct.s3, 200)
    with pytest.raises(RetryLater):
        S3Images(direct).fetch(IMAGE, None, 100)
    assert requests == []


def test_a_record_is_written_by_the_request_that_boto3_would_send():
    direct, http = direct_dynamo(answer(200))
    requests = botos(direct.dynamodb, 200, b"{}")
    DynamoTable(direct, "table").put(GONE, 3)
    assert requests == []
    DynamoTable(direct.dynamodb, "table").put(GONE, 3)
    (sent,), (boto3s,) = http.requests, requests
    assert json.loads(sent.body) == json.loads(boto3s.body)
    assert sent.url == boto3s.url
    for name in ("X-Amz-Target", "Content-Type"):
        assert sent.headers[name] == as_text(boto3s.headers[name])


@pytest.mark.parametrize("first", [CLOSED, answer(400), answer(500)], ids=status_of)
def test_a_write_that_is_refused_or_lost_is_boto3s(first):
    direct, _ = direct_dynamo(first)
    body = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}).encode()
    requests = botos(direct.dynamodb, 400, body)
    with pytest.raises(RevisionConflict):
        DynamoTable(direct, "table").put(GONE, 3)
    assert len(requests) == 1


def test_bytes_are_written_as_dynamodb_wants_them():
    direct, http = direct_dynamo(answer(200))
    direct.put_item(TableName="table", Item={"image": {"B": b"\x00\xff"}})
    assert json.loads(http.requests[0].body)["Item"] == {"image": {"B": "AP8="}}


def test_without_credentials_boto3_says_what_is_missing():
    direct, http = direct_s3()
    without = DirectS3(direct.s3, SignedSender(None, S3SigV4Auth, "s3", "us-east-1", http))
    requests = botos(direct.s3, 404, b"<Error><Code>NoSuchKey</Code></Error>")
    assert S3Images(without).fetch(IMAGE, None, 100) == Gone()
    assert (http.requests, len(requests)) == ([], 1)
