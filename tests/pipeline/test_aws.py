"""How the clients are made, and how AWS's errors become ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

from pipeline.aws import clients, errors
from pipeline.errors import Denied, NoStack, RetryLater


def refused(code: str, status: int = 400) -> ClientError:
    """Return the error by which boto3 reports a refusal."""
    answer = {"Error": {"Code": code, "Message": "made up"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SomeCall")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("SlowDown", 503), RetryLater),
        (refused("ThrottlingException"), RetryLater),
        (refused("RequestLimitExceeded"), RetryLater),
        (refused("InternalError", 500), RetryLater),
        (refused("NeverHeardOf", 502), RetryLater),
        (refused("NeverHeardOf", 429), RetryLater),
        (ConnectTimeoutError(endpoint_url="https://s3"), RetryLater),
        (ReadTimeoutError(endpoint_url="https://s3"), RetryLater),
        (EndpointConnectionError(endpoint_url="https://s3"), RetryLater),
        (ProtocolError("Connection broken: IncompleteRead"), RetryLater),
        (ResponseParserError("Unable to parse response"), RetryLater),
        (refused("AccessDenied", 403), Denied),
        (refused("ExpiredTokenException"), Denied),
        (refused("403", 403), Denied),
        (NoCredentialsError(), Denied),
        (refused("NoSuchBucket", 404), NoStack),
        (refused("ResourceNotFoundException"), NoStack),
        (refused("AWS.SimpleQueueService.NonExistentQueue"), NoStack),
    ],
    ids=str,
)
def test_an_error_of_aws_becomes_the_one_of_who_acts_next(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="the thing") as translated, errors.translated("the thing"):
        raise error

    assert translated.value.__cause__ is error


@pytest.mark.parametrize("error", [refused("ValidationException"), ValueError("a bug")], ids=str)
def test_what_nobody_expects_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, errors.translated("the thing"):
        raise error

    assert raised.value is error


def test_without_a_region_the_deployer_is_told_what_to_set(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert aws_environment is None
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(Denied, match="set AWS_DEFAULT_REGION"):
        clients.client("sqs")


def test_a_client_of_the_embedded_aws_needs_nothing_of_the_environment(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert aws_environment is None
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    client = clients.client("s3", "http://127.0.0.1:4566")

    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.region_name == "us-east-1"


def test_what_is_presigned_locally_is_signed_as_the_embedded_aws_checks_it() -> None:
    client = clients.client("s3", "http://127.0.0.1:4566")

    address = client.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "a b.jpg"})

    assert address.startswith("http://127.0.0.1:4566/shop/a%20b.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert "X-Amz-Credential=test%2F" in address
