"""The API on the deployed template: what was written is there at once and searched seconds later; anybody may ask."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
import schemathesis
from schemathesis import GenerationMode

from infra.local.deploy import Deployment
from infra.local.place import Place
from infra.local.run import Sources, down, up
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client, stack_outputs
from pipeline.aws.dynamodb import DynamoTable
from pipeline.stack import STACK_NAME
from tests.infra.local.scratch import kill, tiny_model
from tests.results_sink.small_shop import gone, tagged
from tests.strangers import send_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.records import Record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PATIENCE_S = 60.0  # chosen by us: everything here takes two or three seconds on an idle machine
BOOT = "n02872752"  # in German, *boot* is a boat
NEED_A_MODEL = {"/v1/classify", "/v1/models"}  # this stack's is none; tests/test_whole_api.py asks one


@dataclass(frozen=True)
class Deployed:
    """A deployed stack, and who asks it."""

    address: str
    endpoint_url: str
    table: DynamoTable
    place: Place
    sources: Sources

    def ask(self, path: str) -> tuple[int, Any]:
        """Return the status and the body of an answer."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def put(self, record: Record) -> str:
        """Write the record behind the one that is there, and return the path of its image."""
        image = record.observation.image
        there = self.table.get_many([image]).get(image)
        self.table.put(record, there.revision if there else 0)
        return f"/v1/images/{image.bucket}/{quote(image.key)}"

    def found(self) -> set[str]:
        """Return the images that a search finds."""
        status, page = self.ask("/v1/search?q=boot&by=image&limit=100")
        return {each["image"] for each in page["results"]} if status == 200 else set()

    def seconds_until(self, reached: Callable[[], bool]) -> float:
        """Wait until it is so, and return how long that took."""
        began_s = time.monotonic()
        while not reached():
            assert time.monotonic() - began_s < PATIENCE_S, "what was waited for did not come"
            time.sleep(0.1)
        return time.monotonic() - began_s


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The template, deployed, with our own code and a model that is none."""
    place = Place(tmp_path_factory.mktemp("local") / "local")
    try:
        sources = Sources(TEMPLATE, ROOT, tiny_model(tmp_path_factory.mktemp("model") / "tiny"))
        run = up(place, sources).run
        outputs = stack_outputs(client("cloudformation", run.endpoint_url), STACK_NAME)
        address = f"{run.endpoint_url}/_aws/execute-api/{outputs['HttpApiId']}/$default"
        table = DynamoTable(client("dynamodb", run.endpoint_url), outputs["TableName"])
        yield Deployed(address, run.endpoint_url, table, place, sources)
    finally:
        down(place, purge=True)


def test_a_photo_is_told_at_once_and_found_within_seconds_as_it_comes_changes_and_goes(deployed: Deployed) -> None:
    record = tagged("fresh/é 100%20.jpg", "fresh", **{BOOT: 0.9})
    image = str(record.observation.image)
    path = deployed.put(record)

    assert deployed.ask(path)[1]["image"] == image
    assert deployed.seconds_until(lambda: image in deployed.found()) < PATIENCE_S
    deployed.put(replace(record, keywords=()))
    assert deployed.ask(path)[1]["keywords"] == []
    deployed.seconds_until(lambda: image not in deployed.found())
    deployed.put(record)
    deployed.seconds_until(lambda: image in deployed.found())
    deployed.put(replace(gone("x.jpg"), observation=record.observation))
    assert deployed.ask(path)[1]["status"] == "gone"
    deployed.seconds_until(lambda: image not in deployed.found())


@pytest.mark.parametrize("is_hard", [False, True], ids=["stopped", "killed"])
def test_what_changed_just_before_an_end_and_after_it_is_found(deployed: Deployed, is_hard: bool) -> None:
    before, after = (
        tagged(f"before {is_hard}.jpg", "before", **{BOOT: 0.9}),
        tagged(f"after {is_hard}.jpg", **{BOOT: 0.9}),
    )
    mappings = Deployment.at(deployed.endpoint_url)
    mappings.listen(to_queues=False)  # so that nobody has read the change when the end comes
    deployed.put(before)
    if is_hard:
        kill(deployed.place)
    else:
        down(deployed.place, purge=False)
    up(deployed.place, deployed.sources)
    mappings.listen(to_queues=True)
    deployed.put(after)

    images = {str(record.observation.image) for record in (before, after)}
    deployed.seconds_until(lambda: images <= deployed.found())


@pytest.fixture
def document(deployed: Deployed) -> Any:
    """What the API tells of itself."""
    schema = schemathesis.openapi.from_url(f"{deployed.address}/openapi.json")
    schema.config.update(base_url=deployed.address)
    return schema


# A query is a language of its own, which no schema describes: that one is refused is no broken promise.
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_strangers_ask_the_answer_is_as_the_document_tells(document: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in document.get_all_operations()]

    assert len(operations) == 22
    for operation in operations:
        if operation.path not in NEED_A_MODEL:
            send_many(operation, mode)
