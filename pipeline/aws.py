"""The ports on AWS. boto3's only door, and the only file that knows an AWS error by its name."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from boto3.exceptions import S3UploadFailedError
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from pipeline import table_layout
from pipeline.errors import CallerError, Denied, ImageRejected, NoStack, RejectReason, RetryLater, StaleLook, TooLarge
from pipeline.images import BucketPrefix, Fetched, FetchedImage, Gone, ImageRef, ListedImage, Unchanged
from pipeline.ports import FileVersion, QueueDepth

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.messages import TagImage
    from pipeline.records import Record, RecordedEnd, Rejection

LOCAL_REGION = "us-east-1"
LOCAL_KEY = "test"  # the key and secret that the embedded AWS checks presigned requests with
CONNECT_TIMEOUT_S = 3  # chosen by us: an answer inside a region takes milliseconds
READ_TIMEOUT_S = 10  # chosen by us: 20 MiB at 2 MiB/s
DOWNLOAD_LIMIT_S = 30  # chosen by us: three times what the largest image needs; a read timeout ends no trickle
CHUNK_BYTES = 16_384  # chosen by us: how often a download is asked for its time
ATTEMPTS = 3  # chosen by us: beyond that the queue's own back-off is the better one
GET_BATCH = 100  # the most keys Amazon DynamoDB permits in one BatchGetItem
DELETE_BATCH = 1000  # the most keys Amazon S3 permits in one DeleteObjects
UNPROCESSED_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # chosen by us: under two seconds, then the queue's back-off

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
_DENIALS_OF_ONE = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden", "InvalidObjectState", "403"})
_ABSENCES = frozenset({"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue"})
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey", "404"})
_SERVER_FAULT, _TOO_MANY = 500, 429


def client(service: str, endpoint_url: str | None = None, at: str | None = None) -> Any:
    """Return a client of AWS as the environment says, or of the embedded AWS at ``endpoint_url``.

    ``at`` is the address of what has one of its own, on AWS as on the embedded one: an API's connections.

    Raises:
        Denied: no region is configured.
    """
    local: dict[str, Any] = {"endpoint_url": at} if at else {}
    if endpoint_url:
        local = {
            "endpoint_url": endpoint_url,
            "region_name": LOCAL_REGION,
            "aws_access_key_id": LOCAL_KEY,
            "aws_secret_access_key": LOCAL_KEY,
        }
    return _made(service, {"addressing_style": "path"} if endpoint_url else {}, local)


def presigning_client(*, on_embedded_aws: bool) -> Any:
    """Return a client of S3 whose presigned addresses a browser reaches as they are.

    On AWS they name the bucket's own host in its region. botocore's own choice is the host without a region, which
    sends the browser on or refuses, and a browser's preflight must not be sent on. The embedded AWS has one host.

    Raises:
        Denied: no region is configured.
    """
    own_host = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
    return _made("s3", {"addressing_style": "path"} if on_embedded_aws else own_host, {})


def _made(service: str, s3: dict[str, str], local: dict[str, Any]) -> Any:
    config = Config(
        signature_version="s3v4" if service == "s3" else None,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=64,
        s3=s3,
    )
    try:
        return boto3.client(service, config=config, **local)
    except NoRegionError as error:
        raise Denied("no AWS region is configured; set AWS_DEFAULT_REGION, or start the local run") from error
    except (BotoCoreError, ValueError) as error:  # the latter tells of an address that is none
        raise Denied(f"AWS is not configured as it should be: {error}") from error


def signed_headers(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the headers with those by which AWS knows who asks an API: with the credentials that boto3 finds.

    Raises:
        Denied: no credentials or no region are configured.
    """
    session = boto3.Session()
    credentials, region = session.get_credentials(), session.region_name
    if credentials is None or region is None:
        raise Denied(f"no AWS {'credentials' if credentials is None else 'region'} to ask {url} with were found")
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    return dict(request.headers.items())


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


def stack_outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """Return the outputs of the deployed stack, by one DescribeStacks.

    Raises:
        NoStack: there is none of that name.
    """
    try:
        with translated(f"the stack {name}"):
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if _code(error) == "ValidationError":
            where = cloudformation.meta.region_name
            raise NoStack(f"no stack {name} in {where}; `catalog-tagger local up` makes one on this machine") from error
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _translation(error: ClientError, what: str) -> Exception:
    code = _code(error)
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
    return isinstance(error, ClientError) and _code(error) in codes


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@dataclass(frozen=True)
class S3Images:
    """Photos in S3, as ``ImageStore`` promises."""

    s3: Any
    clock_s: Callable[[], float] = time.monotonic

    def fetch(self, image: ImageRef, known_etag: str | None, limit_bytes: int) -> Fetched:
        """Return the object as it is now, by one GetObject."""
        condition = {"IfNoneMatch": known_etag} if known_etag else {}
        try:
            with translated(str(image)):
                return self._read(image, condition, limit_bytes)
        except ClientError as error:
            if _code(error) in {"304", "NotModified"}:
                return Unchanged()
            if _code(error) in {"404", "NoSuchKey"}:
                return Gone()
            raise
        except Denied as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _DENIALS_OF_ONE:
                raise ImageRejected(RejectReason.DENIED, f"{image} is not ours to read") from error
            raise
        except NoStack as error:
            raise ImageRejected(RejectReason.MISSING, f"there is no bucket {image.bucket}") from error

    def _read(self, image: ImageRef, condition: dict[str, str], limit_bytes: int) -> FetchedImage:
        answer = self.s3.get_object(Bucket=image.bucket, Key=image.key, **condition)
        body = answer["Body"]
        # DECISIONS.md, 8
        if answer["ContentLength"] > limit_bytes:
            body.close()
            found = f"{image} has {answer['ContentLength']:,} bytes"
            raise TooLarge(f"{found}; the limit is {limit_bytes:,}", answer["ETag"], answer["LastModified"])
        return FetchedImage(self._downloaded(image, body), answer["ETag"], answer["LastModified"])

    def _downloaded(self, image: ImageRef, body: Any) -> bytes:
        until_s, data = self.clock_s() + DOWNLOAD_LIMIT_S, bytearray()
        for chunk in body.iter_chunks(CHUNK_BYTES):
            data += chunk
            if self.clock_s() > until_s:
                body.close()
                raise RetryLater(f"{image}: the download takes more than {DOWNLOAD_LIMIT_S} s")
        return bytes(data)

    def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
        """Yield the objects by ListObjectsV2, a thousand a call.

        Raises:
            CallerError: there is no such bucket.
        """
        pages = self.s3.get_paginator("list_objects_v2")
        try:
            with translated(str(place)):
                for page in pages.paginate(Bucket=place.bucket, Prefix=place.prefix, StartAfter=start_after):
                    for found in page.get("Contents", ()):
                        image = ImageRef(place.bucket, found["Key"])
                        yield ListedImage(image, found["ETag"], found["Size"], found["LastModified"])
        except NoStack as error:
            raise CallerError(f"there is no bucket {place.bucket}") from error


@dataclass(frozen=True)
class DynamoTable:
    """Records in DynamoDB, as ``RecordTable`` promises."""

    dynamodb: Any
    name: str
    sleep: Callable[[float], None] = time.sleep

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record]:
        """Return the records by BatchGetItem, strongly consistent, a hundred a call."""
        wanted = [_to_wire(table_layout.key_of(image)) for image in dict.fromkeys(images)]
        found: list[Record] = []
        for at in range(0, len(wanted), GET_BATCH):
            found += self._get_batch(wanted[at : at + GET_BATCH])
        return {record.look.image: record for record in found}

    def _get_batch(self, keys: list[dict[str, Any]]) -> list[Record]:
        asked = {self.name: {"Keys": keys, "ConsistentRead": True}}
        found: list[Record] = []
        for wait_s in (*UNPROCESSED_WAITS_S, None):
            with translated(self.name):
                answer = self.dynamodb.batch_get_item(RequestItems=asked)
            found += [_from_wire(item) for item in answer["Responses"].get(self.name, ())]
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return found
            if wait_s is not None:
                self.sleep(wait_s)
        raise RetryLater(f"{self.name}: keys stay unprocessed")

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record by one conditional PutItem."""
        # DECISIONS.md, 1
        names = {"#at": table_layout.REVISION if seen_revision else table_layout.IMAGE}
        condition = "#at = :seen" if seen_revision else "attribute_not_exists(#at)"
        values = {"ExpressionAttributeValues": {":seen": {"N": str(seen_revision)}}} if seen_revision else {}
        try:
            with translated(self.name):
                self.dynamodb.put_item(
                    TableName=self.name,
                    Item=_to_wire(table_layout.to_item(record, seen_revision + 1)),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    **values,
                )
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                raise StaleLook(f"{record.look.image} was written by another look since it was read") from error
            raise

    def scan(self) -> Iterator[Record]:
        """Yield the records by Scan, strongly consistent, a megabyte a call."""
        pages = self.dynamodb.get_paginator("scan")
        with translated(self.name):
            for page in pages.paginate(TableName=self.name, ConsistentRead=True):
                for item in page["Items"]:
                    yield _from_wire(item)

    def ends(self) -> Iterator[RecordedEnd]:
        """Yield the ends by Scan, eventually consistent, which halves its price; only their attributes travel."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.name,
            ProjectionExpression=",".join(table_layout.END),
            ExpressionAttributeNames=table_layout.END_NAMES,
        )
        with translated(self.name):
            for page in pages:
                for item in page["Items"]:
                    yield table_layout.end_of(_plain(item))

    def of_product(self, product: str) -> tuple[Record, ...]:
        """Return the records by Query on the index by product."""
        found = self._query(table_layout.PRODUCT_INDEX, table_layout.PRODUCT, product)
        return tuple(_from_wire(item) for item in found)

    def rejected(self, reason: RejectReason) -> Iterator[Rejection]:
        """Yield the rejections by Query on the index by reason, a megabyte a call."""
        for item in self._query(table_layout.REASON_INDEX, table_layout.REASON, str(reason)):
            yield table_layout.rejection_of(_plain(item))

    def _query(self, index: str, key: str, value: str) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=index,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":value": {"S": value}},
        )
        with translated(self.name):
            for page in pages:
                yield from page["Items"]


def record_of_wire(item: dict[str, Any]) -> Record:
    """Return the record of an item as it goes over the wire, in a table's stream as in its answers."""
    return _from_wire(item)


def _to_wire(item: dict[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}


def _from_wire(item: dict[str, Any]) -> Record:
    return table_layout.from_item(_plain(item))


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}


@dataclass(frozen=True)
class SqsQueue:
    """A queue in SQS, as ``MessageQueue`` promises."""

    sqs: Any
    url: str

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages by one SendMessageBatch."""
        entries = [{"Id": str(at), "MessageBody": message.encode()} for at, message in enumerate(messages)]
        with translated(self.url):
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return tuple(messages[int(failed["Id"])] for failed in answer.get("Failed", ()))

    def depth(self) -> QueueDepth:
        """Return the counts by GetQueueAttributes; messages that are delayed wait too."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        with translated(self.url):
            counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        visible, delayed, in_flight = (int(counts[name]) for name in names)
        return QueueDepth(waiting=visible + delayed, in_flight=in_flight)


@dataclass(frozen=True)
class S3Files:
    """An export below a prefix of a bucket, as ``FileStore`` promises."""

    s3: Any
    place: BucketPrefix

    def write(self, name: str, source: Path) -> None:
        """Upload the file; S3 shows an object only when it is whole."""
        with translated(str(self.place)):
            self.s3.upload_file(str(source), self.place.bucket, self.place.prefix + name)

    def read(self, name: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""
        try:
            with translated(str(self.place)):
                answer = self.s3.get_object(Bucket=self.place.bucket, Key=self.place.prefix + name)
                return bytes(answer["Body"].read())
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey"}:
                return None
            raise

    def read_version(self, name: str) -> FileVersion | None:
        """Return the file's bytes and ETag, or None where there is none."""
        try:
            with translated(str(self.place)):
                answer = self.s3.get_object(Bucket=self.place.bucket, Key=self.place.prefix + name)
                return FileVersion(bytes(answer["Body"].read()), answer["ETag"])
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey"}:
                return None
            raise

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file by one conditional PutObject."""
        condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen}
        try:
            with translated(str(self.place)):
                self.s3.put_object(Bucket=self.place.bucket, Key=self.place.prefix + name, Body=data, **condition)
        except ClientError as error:
            if _code(error) in _OVERTAKEN:
                return False
            raise
        return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with the prefix, sorted."""
        inside = BucketPrefix(self.place.bucket, self.place.prefix + prefix)
        for listed in S3Images(self.s3).listing(inside):
            yield listed.image.key.removeprefix(self.place.prefix)

    def delete(self, names: Collection[str]) -> None:
        """Remove these files by DeleteObjects, a thousand a call."""
        keys = [{"Key": self.place.prefix + name} for name in names]
        for at in range(0, len(keys), DELETE_BATCH):
            with translated(str(self.place)):
                batch = {"Objects": keys[at : at + DELETE_BATCH], "Quiet": True}
                answer = self.s3.delete_objects(Bucket=self.place.bucket, Delete=batch)
            if answer.get("Errors"):
                raise RetryLater(f"{self.place}: {len(answer['Errors']):,} files could not be removed")
