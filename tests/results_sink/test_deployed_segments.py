"""The export in segments on the deployed template: its state machine, its function, and what a reader then sees."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.place import Place
from infra.local.run import Sources, down, up
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client, stack_outputs
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files
from pipeline.images import BucketPrefix
from pipeline.stack import STACK_NAME
from results_sink.connect import ExportPlace
from results_sink.export.manifest import LATEST_NAME, Latest, Manifest
from results_sink.export.verify import ExportVerifier
from results_sink.search.snapshot import Downloaded
from tests.infra.local.scratch import tiny_model
from tests.results_sink.small_shop import tagged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE_S = 400.0  # chosen by us: it takes seconds on an idle machine
PHOTOS = 60


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The template, deployed with four segments."""
    place = Place(tmp_path_factory.mktemp("local") / "local")
    try:
        sources = Sources(TEMPLATE, ROOT, tiny_model(tmp_path_factory.mktemp("model") / "tiny"))
        yield up(place, sources, parameters={"ExportSegments": "4"}).run.endpoint_url
    finally:
        down(place, purge=True)


def ended(states: Any, execution: str) -> dict[str, Any]:
    """Return the execution once it has ended."""
    until_s = time.monotonic() + PATIENCE_S
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < until_s, "the export did not end"
        time.sleep(0.2)
    return found


def test_the_state_machine_exports_in_segments_and_says_what_it_published(endpoint_url: str, tmp_path: Path) -> None:
    outputs = stack_outputs(client("cloudformation", endpoint_url), STACK_NAME)
    table = DynamoTable(client("dynamodb", endpoint_url), outputs["TableName"])
    for number in range(PHOTOS):
        table.put(tagged(f"{number:03d}.jpg", boot=0.5 + number / 200, chair=0.6), 0)
    states = client("stepfunctions", endpoint_url)

    execution = states.start_execution(stateMachineArn=outputs["ExportStepsArn"])["executionArn"]

    done = ended(states, execution)
    assert done["status"] == "SUCCEEDED", done
    *stages, [last] = json.loads(done["output"])
    files = S3Files(client("s3", endpoint_url), BucketPrefix(outputs["ExportBucket"], outputs["ExportPrefix"]))
    latest = Latest.decode(files.read(LATEST_NAME) or b"", LATEST_NAME)
    assert [len(stage) for stage in stages] == [4, 4, 4]
    assert last == {"snapshot": latest.snapshot, "rows": PHOTOS, "published": True}
    manifest = Manifest.decode(files.read(latest.manifest.name) or b"", "manifest.json")
    assert len(manifest.images) == 4
    assert not [name for name in files.names("snapshots/") if "/steps/" in name]
    place = ExportPlace("the export", files, Downloaded(files, "the export", tmp_path))
    assert not list(ExportVerifier(place, is_deep=True).damages())
