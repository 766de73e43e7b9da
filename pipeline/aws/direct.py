"""Sends the two calls that every photo costs without botocore's layers; boto3 repeats any call that fails."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.response import StreamingBody
from botocore.utils import get_environ_proxies

from pipeline.aws.clients import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

# botocore's layers cost more than half of both calls (DECISIONS.md, 81).
CONNECTIONS = 64  # kept open; more than any function has threads
METADATA_PREFIX = "x-amz-meta-"
_PUT_HEADERS = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}


@dataclass(frozen=True)
class SignedSender:
    """Signs requests to one service, and sends them over connections that are kept."""

    credentials: Any
    auth: type[SigV4Auth]
    service: str
    region: str
    http: Any

    @classmethod
    def of(cls, client: Any, auth: type[SigV4Auth]) -> Self:
        """Return a sender to the service of this client, with the credentials that boto3 finds."""
        http = URLLib3Session(
            verify=os.environ.get("AWS_CA_BUNDLE") or True,
            proxies=get_environ_proxies(client.meta.endpoint_url),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            max_pool_connections=CONNECTIONS,
            # Head and body are sent one after the other; without this, the body waits 40 ms for the head's receipt.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        service = client.meta.service_model.signing_name
        session = boto3.DEFAULT_SESSION or boto3.Session()  # the client's own, unless it was made in another way
        return cls(session.get_credentials(), auth, service, client.meta.region_name, http)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, stream: bool = False
    ) -> Any:
        """Return the answer, whatever its status; None if there was no connection, or it broke.

        Raises:
            ConnectTimeoutError: as botocore raises it. Not retried, because no time may be left.
            ReadTimeoutError: likewise.
        """
        if self.credentials is None:
            return None
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body, stream_output=stream)
        self.auth(self.credentials.get_frozen_credentials(), self.service, self.region).add_auth(request)
        try:
            return self.http.send(request.prepare())
        except (ConnectTimeoutError, ReadTimeoutError):
            raise
        except BotoCoreError:  # the other side has closed the kept connection, for example while the function slept
            return None


@dataclass(frozen=True)
class DirectS3:
    """A client of S3 that sends GetObject itself, and repeats it by boto3 unless the answer is 200 or 304."""

    s3: Any
    sender: SignedSender
    _addresses: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, s3: Any) -> Self:
        """Return the direct client that falls back to this client of boto3."""
        return cls(s3, SignedSender.of(s3, S3SigV4Auth))

    def get_object(self, **parameters: str) -> dict[str, Any]:
        """Return what boto3's method of the same name returns, or raise what it raises.

        Args:
            parameters: ``Bucket``, ``Key``, and ``IfNoneMatch`` if there is a condition.
        """
        condition = {"If-None-Match": parameters["IfNoneMatch"]} if "IfNoneMatch" in parameters else {}
        response = self.sender.send(
            "GET", self.address(parameters["Bucket"], parameters["Key"]), condition, stream=True
        )
        if response is not None and response.status_code == HTTPStatus.OK:
            length = int(response.headers["Content-Length"])
            return {
                "Body": StreamingBody(response.raw, length),
                "ContentLength": length,
                "ETag": response.headers["ETag"],
                "LastModified": parsedate_to_datetime(response.headers["Last-Modified"]),
                "Metadata": {
                    name[len(METADATA_PREFIX) :].lower(): value
                    for name, value in response.headers.items()
                    if name.lower().startswith(METADATA_PREFIX)
                },
            }
        if response is not None:
            response.raw.drain_conn()  # so that the connection can be used again
            if response.status_code == HTTPStatus.NOT_MODIFIED:
                raise ClientError({"Error": {"Code": "304"}}, "GetObject")
        # Errors are rare and have many causes: boto3 retries, follows a bucket into its region, and names the error.
        return dict(self.s3.get_object(**parameters))

    def address(self, bucket: str, key: str) -> str:
        """Return the address that boto3 would send this object's request to."""
        if bucket not in self._addresses:
            presigned = self.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
            self._addresses[bucket] = presigned.partition("?")[0].removesuffix("k")
        return self._addresses[bucket] + quote(key, safe="/~")


@dataclass(frozen=True)
class DirectDynamo:
    """A client of DynamoDB that sends PutItem itself, and repeats it by boto3 unless the answer is 200."""

    dynamodb: Any
    sender: SignedSender

    @classmethod
    def of(cls, dynamodb: Any) -> Self:
        """Return the direct client that falls back to this client of boto3."""
        return cls(dynamodb, SignedSender.of(dynamodb, SigV4Auth))

    def batch_get_item(self, **parameters: Any) -> dict[str, Any]:
        """Return what boto3's method does: one call serves a whole batch of photos, so nothing would be saved."""
        return dict(self.dynamodb.batch_get_item(**parameters))

    def put_item(self, **parameters: Any) -> None:
        """Write an item as boto3's method of the same name does, or raise what it raises."""
        body = json.dumps(parameters, default=_base64).encode()
        response = self.sender.send("POST", f"{self.dynamodb.meta.endpoint_url}/", _PUT_HEADERS, body)
        if response is None or response.status_code != HTTPStatus.OK:
            self.dynamodb.put_item(**parameters)


def _base64(value: Any) -> str:
    """Return bytes in base64, as DynamoDB's JSON has them; boto3 wraps bytes that it has read in its own type."""
    return base64.b64encode(value if isinstance(value, bytes) else bytes(value.value)).decode()
