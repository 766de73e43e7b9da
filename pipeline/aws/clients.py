"""Clients of AWS and of the embedded AWS, signed requests, and the stack's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.errors import code_of, setup_remedy, translated
from pipeline.errors import Denied, NoStack

LOCAL_REGION = "us-east-1"
LOCAL_KEY = "test"  # the key and secret that the embedded AWS checks presigned requests with
CONNECT_TIMEOUT_S = 3  # chosen by us: an answer inside a region takes milliseconds
READ_TIMEOUT_S = 10  # chosen by us: 20 MiB at 2 MiB/s
ATTEMPTS = 3  # chosen by us: for more failures, the queue's own back-off is better


def client(service: str, endpoint_url: str | None = None, at: str | None = None) -> Any:
    """Return a client of AWS as the environment says, or of the embedded AWS at ``endpoint_url``.

    ``at`` is the address of a resource that has one of its own, on both: the connections of an API.

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


def presigning_client(*, on_embedded_aws: bool = False, region: str | None = None) -> Any:
    """Return a client of S3 whose presigned addresses a browser reaches as they are.

    On AWS they name the bucket's own host in its region. botocore's default is the host without a region, which
    redirects or refuses, and a browser refuses a redirected preflight. The embedded AWS has one host. ``region`` is
    needed if the bucket is not in the caller's region.

    Raises:
        Denied: no region is configured.
    """
    own_host = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
    in_region = {"region_name": region} if region else {}
    return _made("s3", {"addressing_style": "path"} if on_embedded_aws else own_host, in_region)


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
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not an address
        raise Denied(setup_remedy(error) or f"AWS is not configured as it should be: {error}") from error


def signed_headers(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, on_embedded_aws: bool = False
) -> dict[str, str]:
    """Return the headers and AWS's signature of the request, made with the credentials that boto3 finds.

    The embedded AWS has credentials of its own.

    Raises:
        Denied: no credentials or no region are configured, or they cannot be read.
    """
    with translated(url):  # a profile, a sign-in or a credential process may be at fault
        session = boto3.Session(LOCAL_KEY, LOCAL_KEY, region_name=LOCAL_REGION) if on_embedded_aws else boto3.Session()
        credentials, region = session.get_credentials(), session.region_name
        if credentials is None or region is None:
            missing = "credentials were" if credentials is None else "region was"
            raise Denied(f"no AWS {missing} found to sign the request to {url} with: `aws configure` sets them")
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    return dict(request.headers.items())


def stack_outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """Return the outputs of the deployed stack, by one DescribeStacks.

    Raises:
        NoStack: there is none of that name.
    """
    try:
        with translated(f"the stack {name}"):
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if code_of(error) == "ValidationError":
            region = cloudformation.meta.region_name
            raise NoStack(
                f"no stack {name} in {region}; `catalog-tagger local up` makes one on this machine"
            ) from error
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
