"""Runs a deployed function on events in a process of its own, and writes down every call of AWS that it makes or signs.

Standard input: JSON of the handler's name and the events; standard output: JSON of the answers and the calls.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3

from pipeline.aws.direct import SignedSender

PARTITION = "arn:aws"
PLACE = "us-east-1:000000000000"  # the region and the account of the embedded AWS
ACTIONS = {  # what a call needs, where that is called otherwise than the call
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteConnection": "ManageConnections",
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "PostToConnection": "ManageConnections",
    "SendMessageBatch": "SendMessage",
    "UploadPart": "PutObject",
}


def resources_of(service: str, operation: str, asked: dict[str, Any]) -> list[str]:
    """Return what a call is about, as policies name it."""
    if service == "s3":
        keys = [each["Key"] for each in asked.get("Delete", {}).get("Objects", ())] or [asked.get("Key")]
        bucket = f"{PARTITION}:s3:::{asked['Bucket']}"
        return [bucket if operation in {"ListObjectsV2", "HeadBucket"} else f"{bucket}/{key}" for key in keys]
    if service == "dynamodb":
        tables = asked.get("RequestItems") or [asked["TableName"]]
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        return [f"{PARTITION}:dynamodb:{PLACE}:table/{table}{index}" for table in tables]
    if service == "sqs":
        return [f"{PARTITION}:sqs:{PLACE}:{asked['QueueUrl'].rsplit('/', 1)[-1]}"]
    method = {"PostToConnection": "POST", "DeleteConnection": "DELETE"}[operation]
    api = f"{os.environ['WATCH_API_ID']}/{os.environ['WATCH_API_STAGE']}"
    return [f"{PARTITION}:{service}:{PLACE}:{api}/{method}/@connections/{asked['ConnectionId']}"]


class Recorder:
    """What was called: an action and a resource each."""

    def __init__(self) -> None:
        """Listen to every client that is made from now on."""
        self.calls: set[tuple[str, str]] = set()
        boto3.setup_default_session()
        boto3.DEFAULT_SESSION.events.register("before-parameter-build", self._calls)
        boto3.DEFAULT_SESSION.events.register("before-sign", self._signs)
        self._listen_to_direct_requests()

    def _listen_to_direct_requests(self) -> None:
        """Write down what passes botocore's events by."""
        send = SignedSender.send

        def write_down_and_send(
            sender: SignedSender, method: str, url: str, headers: dict[str, str], body: bytes = b"", **options: Any
        ) -> Any:
            if "X-Amz-Target" in headers:
                operation = headers["X-Amz-Target"].rpartition(".")[2]
                resources = resources_of("dynamodb", operation, json.loads(body))
                self.calls |= {(f"dynamodb:{operation}", resource) for resource in resources}
            else:
                self.calls.add(("s3:GetObject", f"{PARTITION}:s3:::{unquote(urlsplit(url).path[1:])}"))
            return send(sender, method, url, headers, body, **options)

        SignedSender.send = write_down_and_send

    def _calls(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "CreateBucket":  # by which boto3 reckons the address of a form, and calls nobody
            return
        service = {"apigatewaymanagementapi": "execute-api"}.get(str(model.service_model.service_name), "")
        service = service or str(model.service_model.service_name)
        for resource in resources_of(service, model.name, params):
            self.calls.add((f"{service}:{ACTIONS.get(model.name, model.name)}", resource))

    def _signs(self, request: Any, operation_name: str, **_: Any) -> None:
        # A form that a browser will send is no call of ours, and may do what we may do. Its address names no object.
        if operation_name == "PutObject" and "/" not in urlsplit(request.url).path.strip("/"):
            self.calls.add(("s3:PutObject", "signed form"))


def main() -> None:
    """Read, run, write."""
    asked = json.load(sys.stdin)
    recorder = Recorder()
    module, _, name = asked["handler"].rpartition(".")
    printed, sys.stdout = sys.stdout, sys.stderr  # a function's metrics are not the answer
    handler = getattr(importlib.import_module(module), name)
    answers = [handler(each["event"], context(each.get("remaining_ms", 60_000))) for each in asked["events"]]
    json.dump({"answers": answers, "calls": sorted(recorder.calls)}, printed)


def context(remaining_ms: int) -> SimpleNamespace:
    """Return what Lambda says of a call."""
    return SimpleNamespace(
        get_remaining_time_in_millis=lambda: remaining_ms,
        function_name="recorded",
        memory_limit_in_mb=1769,
        invoked_function_arn=f"{PARTITION}:lambda:{PLACE}:function:recorded",
        aws_request_id="1",
    )


if __name__ == "__main__":
    main()
