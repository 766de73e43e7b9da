"""Verifies AWS Signature Version 4, by its specification, for an API that lets in whom AWS would."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from pipeline.clock import utc_now
from pipeline.errors import Denied

MAX_SKEW = timedelta(minutes=5)  # between the signer's clock and AWS's
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/(?P<scope>\d{8}/[^/]+/[^/]+/aws4_request), ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_MOMENT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class GatewayRequest:
    """A request as it came over the wire: neither path nor query is decoded; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class SignatureAuthorizer:
    """Lets in requests that are signed with a known key, for this region and service.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    secrets: Mapping[str, str]
    region: str = "eu-central-1"
    service: str = "execute-api"
    now: Callable[[], datetime] = utc_now

    def __call__(self, request: GatewayRequest) -> Mapping[str, Any]:
        """Return what the gateway tells the function of who signed.

        Raises:
            Denied: nobody signed, or the signature is not that of this request.
        """
        match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            raise Denied("Missing Authentication Token")
        signed = match["headers"].split(";")
        moment = request.headers.get("x-amz-date", "")
        if not {"host", "x-amz-date"} <= set(signed) or signed != sorted(signed):
            raise Denied("host and x-amz-date must be signed")
        if abs(self.now() - _parse_moment(moment)) > MAX_SKEW:
            raise Denied("Signature expired")
        if match["scope"] != f"{moment[:8]}/{self.region}/{self.service}/aws4_request":
            raise Denied("Credential should be scoped to a valid region and service")
        canonical = hashlib.sha256(canonical_request(request, signed).encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{match['scope']}\n{canonical}"
        signature = self._sign(match["key"], match["scope"], to_sign)
        if match["key"] not in self.secrets or not hmac.compare_digest(signature, match["signature"]):
            raise Denied("The request signature we calculated does not match the signature you provided.")
        return {"iam": {"userArn": f"arn:aws:iam::123456789012:user/{match['key']}"}}

    def _sign(self, access_key: str, scope: str, text: str) -> str:
        key = f"AWS4{self.secrets.get(access_key, '')}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def canonical_request(request: GatewayRequest, signed: list[str]) -> str:
    """Return the canonical request of the specification."""
    path = quote(request.path, safe="/-_.~")  # every service but S3 signs a path whose segments are encoded twice
    # Each name and value is decoded and encoded again, with %20 for a space: a + in a query is a plus to AWS.
    pairs = [pair.partition("=") for pair in request.query.split("&") if pair]
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs
    )
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    digest = hashlib.sha256(request.body).hexdigest()
    query = "&".join(f"{name}={value}" for name, value in encoded)
    return "\n".join((request.method, path or "/", query, headers, ";".join(signed), digest))


def _parse_moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Denied("x-amz-date is no time, such as 20260101T120000Z") from error
