"""A deployed stack for commands to find: an AWS in this process, whose CloudFormation is a few lines of our own."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from pipeline.stack import STACK_NAME, Stack
from tests.aws_world import AwsWorld

if TYPE_CHECKING:
    from collections.abc import Iterator


class Description(BaseHTTPRequestHandler):
    """Answers every DescribeStacks with the outputs of one stack."""

    outputs: dict[str, str]

    def do_POST(self) -> None:
        """Describe the stack."""
        members = "".join(
            f"<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>"
            for name, value in self.outputs.items()
        )
        stack = f"<StackName>{STACK_NAME}</StackName><Outputs>{members}</Outputs>"
        stacks = f"<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
        body = f"<DescribeStacksResponse>{stacks}</DescribeStacksResponse>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stack(aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsWorld]:
    """A deployed stack whose tables and export bucket are empty, and named after the world."""
    with mock_aws(), HTTPServer(("127.0.0.1", 0), Description) as server:
        world = AwsWorld(None)
        known = {"TableName": world.table(), "ExportBucket": world.bucket(), "ExportPrefix": "catalogue"}
        known["RatingsTableName"] = world.ratings_table()
        Description.outputs = {output: known.get(output, "x") for output in Stack.output_names().values()}
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("CATALOG_TAGGER_TARGET", "aws")
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", f"http://127.0.0.1:{server.server_port}")
        yield world
        server.shutdown()
