"""The API's and the recorder's wiring, in an AWS in this process."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from pipeline.aws.dynamodb import DynamoTable
from pipeline.http.resolver import VERSION
from pipeline.keywords import Vocabulary
from pipeline.table_layout import to_item
from tests.api_caller import CONTEXT
from tests.aws_world import AwsWorld
from tests.results_sink.small_shop import tagged
from tests.results_sink.test_changes import event_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@pytest.fixture
def world(aws_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[AwsWorld]:
    """An AWS in this process with a table and a bucket, which the environment names."""
    with mock_aws():
        world = AwsWorld(None)
        monkeypatch.setenv("TABLE_NAME", world.table())
        monkeypatch.setenv("EXPORT_BUCKET", world.bucket())
        monkeypatch.setenv("EXPORT_PREFIX", "catalogue/")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        yield world


def wired(name: str) -> ModuleType:
    """Return the module as a new process imports it."""
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def get(handler, path: str, **query: str) -> dict:
    """Ask for a path."""
    request = {"http": {"method": "GET", "path": path}, "stage": "$default"}
    event = {
        "version": "2.0",
        "rawPath": path,
        "queryStringParameters": query,
        "headers": {},
        "requestContext": request,
    }
    return json.loads(handler(event, CONTEXT)["body"])


def test_what_the_stream_tells_is_answered_by_the_api(world: AwsWorld) -> None:
    [sandal] = Vocabulary.load().spelled("sandal")
    record = tagged("a.jpg", **{sandal: 0.9})
    DynamoTable(world.dynamodb, world.name).put(record, 0)
    wired("results_sink.lambda_changes").handler(event_of(("NewImage", to_item(record, 1))), CONTEXT)
    handler = wired("results_sink.lambda_api").handler

    assert get(handler, f"{VERSION}/images/shop/a.jpg")["status"] == "tagged"
    assert [hit["image"] for hit in get(handler, f"{VERSION}/search", q="sandal")["results"]] == ["s3://shop/a.jpg"]
