"""A person decides about keywords on images over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import RetryLater
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.table import MemoryTable
from pipeline.records import DecisionKind, Observation, TaggedImage
from tagging_lambda.curate.decide_route import DecisionWriter, add_routes
from tagging_lambda.curate.rewrite import Rewriter
from tests.api_caller import caller_for

if TYPE_CHECKING:
    from datetime import datetime

IMAGE, OTHER, SHOE = ImageRef("shop", "a.jpg"), ImageRef("shop", "b.jpg"), "n04120489"


@pytest.fixture
def world(clock, now: datetime) -> tuple[Any, MemoryTable]:
    table = MemoryTable()
    for image in (IMAGE, OTHER):
        observation = Observation(image, "a", "upload", now, '"e"', now, "m", "t")
        table.put(TaggedImage(observation, (KeywordTag(SHOE, 0.9),), (), 10, 10), 0)
    writer = DecisionWriter(Rewriter(table, ThreadPoolExecutor(1), sleep=lambda _: None), Vocabulary.load(), clock)
    anna = {"jwt": {"claims": {"email": "anna@shop.example"}}}
    caller = caller_for(lambda app: add_routes(app, writer), authorizer=anna, warn=lambda text: None)

    def decide(*changed: dict[str, Any], **fields: Any) -> tuple[int, Any]:
        documents = [suppress(**one) for one in changed] or [suppress(**fields)]
        answer = caller.post("/v1/decisions", {"decisions": documents})
        return answer.status, answer.body

    return decide, table


def suppress(**fields: Any) -> dict[str, Any]:
    return {"image": str(IMAGE), "keyword": SHOE, "decision": "suppress"} | fields


def test_a_keyword_is_suppressed_by_who_is_signed_in_and_released(world) -> None:
    decide, table = world

    status, body = decide()
    assert (status, body["decisions"]) == (200, [suppress(changed=True, failure=None)])
    record = table.records[IMAGE]
    assert record.keywords == ()
    assert [(each.kind, each.by) for each in record.decisions] == [(DecisionKind.SUPPRESS, "anna@shop.example")]

    assert decide()[1]["decisions"][0]["changed"] is False
    decide(decision="release")
    assert [tag.keyword_id for tag in table.records[IMAGE].keywords] == [SHOE]


def test_many_decisions_are_written_at_once_each_image_a_single_time(world) -> None:
    decide, table = world

    status, body = decide({}, {"image": str(OTHER)}, {"keyword": "cowboy boot", "decision": "pin"})
    assert status == 200
    assert [(one["image"], one["decision"], one["changed"]) for one in body["decisions"]] == [
        (str(IMAGE), "suppress", True),
        (str(OTHER), "suppress", True),
        (str(IMAGE), "pin", True),
    ]
    assert [table.records[image].revision for image in (IMAGE, OTHER)] == [2, 2]


def test_a_mistake_in_one_of_many_leaves_all_unwritten(world) -> None:
    decide, table = world

    assert decide({}, {"keyword": "no such word"})[0] == 400
    assert decide({}, {"image": "s3://shop/none.jpg"})[0] == 404
    assert table.records[IMAGE].revision == 1


def test_a_record_that_cannot_be_written_fails_alone_and_all_of_them_are_not_available(world, monkeypatch) -> None:
    decide, table = world
    write = table.put

    def put(record: Any, revision: int) -> None:
        if record.observation.image == OTHER:
            raise RetryLater("throttled")
        write(record, revision)

    monkeypatch.setattr(table, "put", put)
    status, body = decide({}, {"image": str(OTHER)})
    assert (status, [one["failure"] for one in body["decisions"]]) == (200, [None, f"{OTHER}: throttled"])
    assert decide(image=str(OTHER))[0] == 503


def test_a_keyword_is_named_by_a_word(world) -> None:
    decide, table = world

    decide(keyword="Laufschuh", decision="pin")
    assert table.records[IMAGE].decisions[0].keyword_id == SHOE


def test_an_image_that_nobody_knows_is_a_problem(world) -> None:
    decide, _ = world

    assert decide(image="s3://shop/none.jpg")[0] == 404


@pytest.mark.parametrize(
    "said",
    [
        {"decision": "destroy"},
        {"decision": None},
        {"decision": []},
        {"decision": {}},
        {"decision": 5},
        {"keyword": "no such word"},
        {"keyword": 3},
        {"keyword": []},
        {"keyword": "\ud800"},
        {"image": "a.jpg"},
        {"image": [str(IMAGE)]},
    ],
)
def test_what_cannot_be_meant_is_a_mistake(world, said: dict[str, Any]) -> None:
    decide, table = world

    assert decide(**said)[0] == 400
    assert table.records[IMAGE].revision == 1
