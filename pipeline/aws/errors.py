"""Translates what AWS and its client raise into our own errors. Only this file knows AWS errors by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from pipeline.errors import Denied, NoStack, RetryLater

_THROTTLE_CODES = """
    BandwidthLimitExceeded InternalError InternalServerError KMS.ThrottlingException KmsThrottled LimitExceededException
    PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
    RequestThrottledException RequestTimeout RequestTimeoutException ServiceUnavailable SlowDown Throttling
    ThrottledException ThrottlingException TooManyRequestsException TransactionInProgressException
"""
_THROTTLES = frozenset(_THROTTLE_CODES.split())
_ABSENCES = frozenset(
    {"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
)
# What the deployer does about a refusal, by AWS's code for it. The codes are those of the services' API references.
_SIGN_IN = "sign in again: `aws sso login`, or set new keys with `aws configure`"
_CHECK_KEYS = "the access key or its secret is wrong: `aws sts get-caller-identity` shows which is used"
_SET_CLOCK = "this machine's clock is off by minutes; set it by NTP: `sudo timedatectl set-ntp true`"
_ASK_FOR_PERMISSION = "`aws sts get-caller-identity` shows as whom; give this role or user the permission"
_KMS = "the KMS key refuses; its policy must let this role use it, and the key must be enabled"
_OPT_IN = "the account has not activated this service or region; activate it in the AWS console"
_REGION = "the bucket or endpoint is in another region; set AWS_DEFAULT_REGION to it"
_WRONG_KEY_CODES = """
    AuthFailure IncompleteSignature InvalidAccessKeyId InvalidClientTokenId InvalidSignatureException InvalidToken
    MissingAuthenticationToken MissingAuthenticationTokenException SignatureDoesNotMatch UnrecognizedClientException
"""
_FORBIDDEN_CODES = """
    AccessDenied AccessDeniedException AllAccessDisabled AuthorizationError Forbidden ForbiddenException NotAuthorized
    UnauthorizedOperation 401 403
"""
_REMEDIES = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"), _SIGN_IN),
    **dict.fromkeys(_WRONG_KEY_CODES.split(), _CHECK_KEYS),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestInTheFuture"), _SET_CLOCK),
    **dict.fromkeys(_FORBIDDEN_CODES.split(), _ASK_FOR_PERMISSION),
    "InvalidObjectState": "the object is archived; restore it with `aws s3api restore-object`",
    **dict.fromkeys(("OptInRequired", "SubscriptionRequiredException", "NotSignedUp"), _OPT_IN),
    **dict.fromkeys(("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"), _REGION),
}
_KMS_PREFIXES = ("KMS.", "Kms")
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_FAULT = 401, 403, 429, 500

# What botocore raises before any call: the set-up of this machine is wrong, so a retry cannot help.
_SETUP_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (botocore.NoCredentialsError, "no AWS credentials were found: `aws configure`, or `aws sso login`"),
    (botocore.PartialCredentialsError, "the AWS credentials are incomplete: `aws configure` sets both keys"),
    (botocore.SSOError, f"the AWS sign-in has ended; {_SIGN_IN}"),
    (botocore.TokenRetrievalError, f"the AWS sign-in has ended; {_SIGN_IN}"),
    (botocore.CredentialRetrievalError, f"the credentials could not be fetched; {_SIGN_IN}"),
    (botocore.InvalidConfigError, "the AWS configuration file has a mistake: `aws configure list` shows its values"),
    (botocore.ConfigParseError, "the AWS configuration file has a mistake: `aws configure list` shows its values"),
    (botocore.ProfileNotFound, "there is no such AWS profile: `aws configure list-profiles` names those there are"),
    (botocore.ConfigNotFound, "the AWS configuration file is not there: `aws configure` writes one"),
    (botocore.NoRegionError, "no AWS region is configured; set AWS_DEFAULT_REGION, or start the local run"),
    (botocore.InvalidRegionError, "the AWS region is no region's name; set AWS_DEFAULT_REGION"),
    (botocore.EndpointProviderError, "no endpoint can be made of the settings; check AWS_ENDPOINT_URL and the region"),
    (botocore.UnknownEndpointError, "the service has no endpoint in this region; set AWS_DEFAULT_REGION"),
    (botocore.ProxyConnectionError, "the proxy does not answer; check HTTPS_PROXY"),
    (botocore.InvalidProxiesConfigError, "the proxy's settings have a mistake; check HTTPS_PROXY"),
)


@contextmanager
def translated(target: str) -> Iterator[None]:
    """Turn what boto3 raises inside into our own errors; ``target`` names the thing that is called.

    Raises:
        RetryLater: throttled, timed out, or failed on the other side.
        Denied: credentials or permission are missing, or this machine is not set up; the message says what to do.
        NoStack: the bucket, table or queue is not there.
    """
    try:
        yield
    except ClientError as error:
        raise _translation(error, target) from error
    except S3UploadFailedError as error:
        # Its text only describes AWS's answer; the answer itself is its context.
        answer = error.__context__
        raise (
            _translation(answer, target) if isinstance(answer, ClientError) else RetryLater(f"{target}: {error}")
        ) from error
    except (BotoCoreError, HTTPError, ResponseParserError) as error:
        remedy = setup_remedy(error)
        if remedy:
            raise Denied(f"{target}: {remedy}") from error
        # HTTPError and ResponseParserError mean that an answer broke off, or did not come from the service.
        raise RetryLater(f"{target}: {type(error).__name__}") from error


def setup_remedy(error: Exception) -> str | None:
    """Return what is wrong with this machine's set-up and what to do; None if the error has another cause."""
    return next((remedy for kind, remedy in _SETUP_REMEDIES if isinstance(error, kind)), None)


def _translation(error: ClientError, target: str) -> Exception:
    code = code_of(error)
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLES or status >= _SERVER_FAULT or status == _TOO_MANY:
        return RetryLater(f"{target}: {code}")
    if code in _ABSENCES:
        return NoStack(f"{target}: there is no such bucket, table or queue ({code})")
    remedy = _refusal_remedy(code, status)
    return Denied(f"{target}: AWS answers {code}; {remedy}") if remedy else cast("Exception", error)


def _refusal_remedy(code: str, status: int) -> str | None:
    """Return what to do about a refusal; None if AWS refuses for a reason other than the caller and the region."""
    if code.startswith(_KMS_PREFIXES):
        return _KMS
    if code in _REMEDIES:
        return _REMEDIES[code]
    return _ASK_FOR_PERMISSION if status in {_UNAUTHORIZED, _FORBIDDEN} else None


def is_code(error: Exception, *codes: str) -> bool:
    """Return whether AWS answered with one of these codes, and ``translated`` let the error through."""
    return isinstance(error, ClientError) and code_of(error) in codes


def code_of(error: ClientError) -> str:
    """Return the code that AWS answered with."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
