"""What AWS and its client raise, as our own errors. The only file that knows an AWS error by its name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from pipeline.errors import Denied, NoStack, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator


_THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "ExpiredToken",
        "ExpiredTokenException",
        "Forbidden",
        "ForbiddenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidObjectState",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "403",
    }
)
_ABSENCES = frozenset({"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue"})
_SERVER_FAULT, _TOO_MANY = 500, 429


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what boto3 raises inside into our own errors; ``what`` names the thing that was asked for.

    Raises:
        RetryLater: throttled, timed out, or failed on the other side.
        Denied: refused for want of credentials or permission.
        NoStack: the bucket, table or queue is not there.
    """
    try:
        yield
    except ClientError as error:
        raise _translation(error, what) from error
    except S3UploadFailedError as error:
        # It says only in words which of AWS's answers it stands for; the answer itself is its context.
        answer = error.__context__
        raise (
            _translation(answer, what) if isinstance(answer, ClientError) else RetryLater(f"{what}: {error}")
        ) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Denied(f"{what}: no AWS credentials were found") from error
    except (BotoCoreError, HTTPError, ResponseParserError) as error:
        # The last two come through where an answer breaks off inside, or is none of the service's.
        raise RetryLater(f"{what}: {type(error).__name__}") from error


def _translation(error: ClientError, what: str) -> Exception:
    code = code_of(error)
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLES or status >= _SERVER_FAULT or status == _TOO_MANY:
        return RetryLater(f"{what}: {code}")
    if code in _DENIALS:
        return Denied(f"{what}: AWS answers {code}")
    if code in _ABSENCES:
        return NoStack(f"{what}: there is no such bucket, table or queue ({code})")
    return cast("Exception", error)


def is_code(error: Exception, *codes: str) -> bool:
    """Return whether AWS answered with one of these codes, and it was nothing that ``translated`` has a word for."""
    return isinstance(error, ClientError) and code_of(error) in codes


def code_of(error: ClientError) -> str:
    """Return the code that AWS answered with."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
