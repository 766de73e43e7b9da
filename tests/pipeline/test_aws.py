"""How the clients are made, and how AWS's errors become ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    InvalidRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
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
        (refused("QueueDoesNotExist"), NoStack),
        (refused("KMS.ThrottlingException"), RetryLater),
    ],
    ids=str,
)
def test_an_error_of_aws_becomes_the_one_of_who_acts_next(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="the thing") as translated, errors.translated("the thing"):
        raise error

    assert translated.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (refused("NeverHeardOf", 401), "aws sts get-caller-identity"),
        (refused("NeverHeardOf", 403), "aws sts get-caller-identity"),
        (refused("InvalidToken"), "aws sts get-caller-identity"),
        (refused("RequestExpired"), "aws sso login"),
        (refused("ExpiredToken"), "aws sso login"),
        (refused("RequestTimeTooSkewed", 403), "timedatectl"),
        (refused("InvalidSignatureException"), "the access key or its secret is wrong"),
        (refused("OptInRequired", 403), "activate it"),
        (refused("KMS.DisabledException"), "KMS key"),
        (refused("KMS.NotFoundException"), "KMS key"),
        (refused("PermanentRedirect", 301), "AWS_DEFAULT_REGION"),
        (UnauthorizedSSOTokenError(), "aws sso login"),
        (SSOTokenLoadError(error_msg="none"), "aws sso login"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), "aws sso login"),
        (CredentialRetrievalError(provider="process", error_msg="it ended"), "aws sso login"),
        (ProfileNotFound(profile="shop"), "aws configure list-profiles"),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "aws configure"),
        (InvalidRegionError(region_name="a b"), "AWS_DEFAULT_REGION"),
        (EndpointProviderError(msg="no such region"), "AWS_ENDPOINT_URL"),
        (ProxyConnectionError(proxy_url="http://proxy"), "HTTPS_PROXY"),
    ],
    ids=str,
)
def test_every_refusal_says_the_thing_and_what_mends_it(error: Exception, remedy: str) -> None:
    with pytest.raises(Denied) as denied, errors.translated("the thing"):
        raise error

    assert str(denied.value).startswith("the thing: ")
    assert remedy in str(denied.value)
    assert "\n" not in str(denied.value)


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


def test_a_profile_that_is_not_there_is_named_as_such(aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert aws_environment is None
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    monkeypatch.setattr(clients.boto3, "DEFAULT_SESSION", None)

    with pytest.raises(Denied, match="aws configure list-profiles"):
        clients.client("sqs")
