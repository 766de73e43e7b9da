"""What keeps the function from taking messages, as AWS Lambda answers."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.aws import clients
from pipeline.aws.functions import Triggers
from tests.aws_world import answer, refusal

ARN = "arn:aws:sqs:us-east-1:000000000000:backfill"
ON, OFF = ({"EventSourceArn": ARN, "State": state} for state in ("Enabled", "Disabled"))


@pytest.mark.parametrize(
    ("mappings", "concurrency", "causes"),
    [
        ([ON], {}, []),
        ([ON], {"ReservedConcurrentExecutions": 100}, []),
        ([ON, OFF], {}, ["the trigger of backfill is disabled"]),
        ([], {}, ["the function has no trigger"]),
        ([ON], {"ReservedConcurrentExecutions": 0}, ["the function's reserved concurrency is 0"]),
    ],
)
def test_the_causes_are_those_that_lambda_tells(
    mappings: list[dict[str, str]], concurrency: dict[str, Any], causes: list[str], aws_environment: None
) -> None:
    assert aws_environment is None
    functions = clients.client("lambda")
    answer(functions, {"EventSourceMappings": mappings}, concurrency)

    assert Triggers(functions, "tag").causes() == causes


def test_who_may_not_ask_is_told_so(aws_environment: None) -> None:
    assert aws_environment is None
    functions = clients.client("lambda")
    answer(functions, refusal("AccessDeniedException", 403))

    [cause] = Triggers(functions, "tag").causes()

    assert cause.startswith("the function cannot be asked (tag: AWS answers AccessDeniedException;")
