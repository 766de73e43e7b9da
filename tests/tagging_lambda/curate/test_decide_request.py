"""A person decides about one keyword of one image over HTTP."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import CallerError
from pipeline.http_event import Request
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.table import MemoryTable
from pipeline.records import DecisionKind, Observation, TaggedImage
from tagging_lambda.curate.decide_request import make_routes
from tagging_lambda.curate.rewrite import Rewriter

if TYPE_CHECKING:
    from datetime import datetime

IMAGE, SHOE = ImageRef("shop", "a.jpg"), "n04120489"


@pytest.fixture
def world(clock, now: datetime) -> tuple[Any, MemoryTable]:
    table = MemoryTable()
    observation = Observation(IMAGE, "a", "upload", now, '"e"', now, "m", "t")
    table.put(TaggedImage(observation, (KeywordTag(SHOE, 0.9),), (), 10, 10), 0)
    route = make_routes(Rewriter(table, ThreadPoolExecutor(1)), Vocabulary.load(), clock)["POST /decisions"]

    def decide(**fields: Any) -> tuple[int, Any]:
        said = {"image": str(IMAGE), "keyword": SHOE, "decision": "suppress"} | fields
        answer = route(Request("POST /decisions", body=json.dumps(said).encode(), caller="anna@shop.example"))
        return answer.status, json.loads(answer.body)

    return decide, table


def test_a_keyword_is_suppressed_by_who_is_signed_in_and_released(world) -> None:
    decide, table = world

    assert decide() == (200, {"image": str(IMAGE), "keyword": SHOE, "decision": "suppress", "changed": True})
    record = table.records[IMAGE]
    assert record.keywords == ()
    assert [(each.kind, each.by) for each in record.decisions] == [(DecisionKind.SUPPRESS, "anna@shop.example")]

    assert decide()[1]["changed"] is False
    decide(decision="release")
    assert [tag.keyword_id for tag in table.records[IMAGE].keywords] == [SHOE]


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

    with pytest.raises(CallerError):
        decide(**said)
    assert table.records[IMAGE].revision == 1
