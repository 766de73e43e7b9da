"""Who is gone is told from who could not be reached: the first is forgotten, the second tried again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pipeline.aws.clients import client
from pipeline.aws.websocket import ApiGatewayConnections
from pipeline.errors import Denied, RetryLater
from pipeline.memory.connections import MemoryConnections
from tests.aws_world import answer, refusal

if TYPE_CHECKING:
    from pipeline.ports import Connections

GONE = [refusal("GoneException", 410), refusal("410", 410)]  # the second where the answer has no body


@pytest.fixture
def management(aws_environment: None) -> Any:
    return client("apigatewaymanagementapi", at="https://abc.execute-api.us-east-1.amazonaws.com/watch")


@pytest.fixture(params=["memory", *(each["Error"]["Code"] for each in GONE)])
def closed(request: pytest.FixtureRequest) -> Connections:
    """Connections none of which is open any more."""
    if request.param == "memory":
        return MemoryConnections()
    management = request.getfixturevalue("management")
    answer(management, refusal(request.param, 410))
    return ApiGatewayConnections(management)


def test_a_connection_that_is_gone_is_told_from_one_that_is_there(closed: Connections) -> None:
    assert closed.send("one", {"kind": "record"}) is False


def test_to_close_what_is_closed_is_no_error(closed: Connections) -> None:
    closed.close("one")


def test_a_message_goes_as_json_to_the_connection(management: Any) -> None:
    sent: list[dict[str, Any]] = []
    management.meta.events.register("provide-client-params", lambda params, **_: sent.append(params))
    calls = answer(management, {})

    assert ApiGatewayConnections(management).send("one", {"word": "chaussure à talon"}) is True
    assert calls == {"PostToConnection": 1}
    assert sent[0]["ConnectionId"] == "one"
    assert json.loads(sent[0]["Data"]) == {"word": "chaussure à talon"}


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (refusal("LimitExceededException", 429), RetryLater),
        (refusal("InternalServerError", 500), RetryLater),
        (refusal("Forbidden", 403), Denied),
        (refusal("ForbiddenException", 403), Denied),
        (refusal("PayloadTooLargeException", 413), ClientError),
    ],
)
@pytest.mark.parametrize("step", ["send", "close"])
def test_who_could_not_be_reached_is_not_taken_for_gone(
    management: Any, refused: dict[str, Any], error: type[Exception], step: str
) -> None:
    answer(management, refused)
    connections = ApiGatewayConnections(management)

    with pytest.raises(error):
        connections.send("one", {}) if step == "send" else connections.close("one")
