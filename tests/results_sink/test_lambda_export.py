"""The export function's wiring, in an AWS in this process."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files
from pipeline.errors import BadSettings
from pipeline.images import BucketPrefix
from results_sink.export.manifest import LATEST_NAME, Latest
from tests.aws_world import AwsWorld
from tests.results_sink.small_shop import small_shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@pytest.fixture
def world(aws_environment: None) -> Iterator[AwsWorld]:
    """An AWS in this process."""
    with mock_aws():
        yield AwsWorld(None)


def wired() -> ModuleType:
    """Return the module as a new process imports it."""
    sys.modules.pop("results_sink.lambda_export", None)
    return importlib.import_module("results_sink.lambda_export")


@pytest.mark.parametrize("prefix", ["catalogue", "catalogue/"])
def test_it_exports_the_table_below_the_prefix(world: AwsWorld, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    table, bucket = world.table(), world.bucket()
    for name, value in {"TABLE_NAME": table, "EXPORT_BUCKET": bucket, "EXPORT_PREFIX": prefix}.items():
        monkeypatch.setenv(name, value)
    for record in small_shop():
        DynamoTable(world.dynamodb, table).put(record, 0)

    answer = wired().handler({}, None)

    files = S3Files(world.s3, BucketPrefix(bucket, "catalogue/"))
    latest = Latest.decode(files.read(LATEST_NAME) or b"", LATEST_NAME)
    assert answer == {"snapshot": latest.snapshot, "rows": 10, "published": True}
    assert len(list(files.names("snapshots/"))) == 5


def test_it_refuses_to_start_without_its_settings(aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME", raising=False)

    with pytest.raises(BadSettings, match="TABLE_NAME is not set"):
        wired()
